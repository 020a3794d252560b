//! Names with blanks, quotes and letters of all kinds.

use serde_json::json;

use crate::site::Site;

#[test]
fn odd_names_and_paths_go_all_the_way() {
    let Some(site) = Site::new(2) else { return };
    site.environment(|environment| {
        let targets = environment["targets"].as_object_mut().expect("it is an object");
        let first = targets.remove("host1").expect("it is there");
        let second = targets.remove("host2").expect("it is there");
        targets.insert("höst \"eins\"".to_owned(), first);
        targets.insert("-it's 日本; $(touch x) `y` %s".to_owned(), second);
        environment["targets"]["höst \"eins\""]["values"] = json!({ "text": "a 'b' \"c\" $d `e` \\ *" });
        environment["targets"]["-it's 日本; $(touch x) `y` %s"]["values"] = json!({ "text": "-n ü\tß" });
    });
    site.application(
        r#"
application: "öd \"app'"
version: "1.0 ß"
components:
  "a file's \"näme\"":
    type: ssh/file
    with: { path: "${folder}/${target.name} $HOME 'x' \"y\"", content: "${target.name}|${value.text}" }
  "-rf *":
    type: ssh/command
    needs: ["a file's \"näme\""]
    with:
      run: [cp, --, "${folder}/${target.name} $HOME 'x' \"y\"", "${folder}/copy of ${target.name}"]
  "after; true":
    type: ssh/command
    needs: ["-rf *"]
    with:
      run: 'printf "%s" "$TEXT" >"$FOLDER/text of $NAME"'
      env: { TEXT: "${value.text}", FOLDER: "${folder}", NAME: "${target.name}" }
"#,
    );
    site.run(&["validate"]).exits(0);
    site.run(&["plan"]).exits(0).says("-rf *");
    site.deploy(0);
    for (name, text) in [("höst \"eins\"", "a 'b' \"c\" $d `e` \\ *"), ("-it's 日本; $(touch x) `y` %s", "-n ü\tß")]
    {
        assert_eq!(site.deployed(&format!("{name} $HOME 'x' \"y\"")), Some(format!("{name}|{text}")));
        assert_eq!(site.deployed(&format!("copy of {name}")), Some(format!("{name}|{text}")));
        assert_eq!(site.deployed(&format!("text of {name}")), Some(text.to_owned()));
    }
    site.run(&["status"]).exits(0).says("höst");
    site.run(&["graph"]).exits(0);
    site.run(&["show", "1", "--log"]).exits(0).says("-rf *");
    assert_eq!(site.deploy(0).count("step-started"), 0);
    site.run(&["undeploy", "--yes"]).exits(0);
    assert_eq!(site.deployed("höst \"eins\" $HOME 'x' \"y\""), None);
}
