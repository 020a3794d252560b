//! Secrets in files encrypted with age.

use std::fs::{self, File};
use std::io::Write as _;
use std::iter::once;

use age::armor::{ArmoredWriter, Format};
use age::secrecy::ExposeSecret as _;
use age::x25519::Identity;
use serde_json::{Value, json};

use crate::site::Site;

const PASSWORD: &str = "canary-pw-4Kx9";
const TOKEN: &str = "canary-token-77aQ";

/// Encrypts a file of the environment anew, as `age -a` does.
fn seal(site: &Site, identity: &Identity, password: &str) {
    let path = site.project.write("environments/prod.yaml.age", "").expect("it can be written");
    let recipient = identity.to_public();
    let encryptor = age::Encryptor::with_recipients(once(&recipient as &dyn age::Recipient)).expect("it is one");
    let file = File::create(path).expect("it is there");
    let armoured = ArmoredWriter::wrap_output(file, Format::AsciiArmor).expect("it can be written");
    let mut out = encryptor.wrap_output(armoured).expect("it can be written");
    write!(out, "db: {{ password: {password} }}\ntoken: {TOKEN}\n").expect("it can be written");
    out.finish().and_then(ArmoredWriter::finish).expect("it can be written");
}

const APPLICATION: &str = r#"
application: sealed
version: "1"
components:
  database: { type: ssh/file, with: { path: "${folder}/database", content: "pool=${pool} password=${db.password}" } }
  api: { type: ssh/file, with: { path: "${folder}/api", content: "token=${secret.api_token}" } }
"#;

#[test]
fn encrypted_dictionaries_and_secrets_are_opened_in_memory_only() {
    let Some(mut site) = Site::new(1) else { return };
    let identity = Identity::generate();
    seal(&site, &identity, PASSWORD);
    let environment = |site: &Site, more: &[Value]| {
        site.environment(|environment| {
            let dictionaries = environment["dictionaries"].as_array_mut().expect("the site has one");
            dictionaries.extend(more.iter().cloned());
            environment["secrets"] = json!({ "api_token": { "age": { "file": "prod.yaml.age", "key": "token" } } });
        });
    };
    environment(&site, &[json!({ "pool": 20 }), json!("prod.yaml.age")]);
    site.application(APPLICATION);

    // Nobody here can open it.
    let locked = site.run(&["plan"]).exits(2);
    locked.says("prod.yaml.age is encrypted, and there is no age identity").says("LAUNCHWAY_AGE_IDENTITY_FILE");
    let other = site.project.write("other.key", Identity::generate().to_string().expose_secret());
    site.project.set("LAUNCHWAY_AGE_IDENTITY_FILE", &other.expect("it can be written").to_string_lossy());
    site.run(&["deploy", "--yes"]).exits(2).says("encrypted for others");

    let key = site.project.write("age.key", identity.to_string().expose_secret()).expect("it can be written");
    site.project.set("LAUNCHWAY_AGE_IDENTITY_FILE", &key.to_string_lossy());
    let mut said = site.run(&["validate"]).exits(0).text();
    said += &site.run(&["plan", "-o", "a.plan"]).exits(0).text();
    said += &site.run(&["deploy", "--yes", "--json", "-v"]).exits(0).text();
    assert_eq!(site.deployed("database").as_deref(), Some(&*format!("pool=20 password={PASSWORD}")));
    assert_eq!(site.deployed("api").as_deref(), Some(&*format!("token={TOKEN}")));

    // Encrypted anew it is another file, and nothing has changed.
    seal(&site, &identity, PASSWORD);
    site.run(&["plan", "--exit-code"]).exits(0);
    let rotated = "canary-new-0Pz3";
    seal(&site, &identity, rotated);
    said += &site.run(&["plan", "--json"]).exits(0).text();
    let deployed = site.run(&["deploy", "--yes"]).exits(0).says("prod.yaml.age:db.password").says("database@");
    said += &deployed.text();
    assert!(!deployed.text().contains("api@"), "what is in the same file and the same is not touched");
    assert_eq!(site.deployed("database").as_deref(), Some(&*format!("pool=20 password={rotated}")));
    said += &site.run(&["show", "2", "--log"]).exits(0).text();
    for needle in [PASSWORD, rotated, TOKEN] {
        assert!(!said.contains(needle), "{needle} was printed");
        site.assert_kept_nowhere(needle);
    }

    // Without the identity, a plan can't know the names; without the dictionary it only can't tell what has changed.
    fs::remove_file(&key).expect("it is there");
    site.run(&["plan"]).exits(2).says("age.key");
    environment(&site, &[json!({ "pool": 20 })]);
    site.application(&APPLICATION.replace("${db.password}", "none").replace("token=", "key="));
    site.run(&["plan"]).exits(0).says("not checked");
    site.run(&["deploy", "--yes"]).exits(2).says("can't read secret `api_token`").says("age.key");
}
