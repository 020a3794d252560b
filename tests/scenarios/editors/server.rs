//! The YAML language server from npm, spoken to as editors do: JSON-RPC over its standard input and output.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// The version under test; editors bring their own.
const VERSION: &str = "1.25.0";
/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Returns the language server's program; gets it from npm the first time. None, after saying so, where that can't be.
pub(crate) fn find_server() -> Option<PathBuf> {
    static SERVER: OnceLock<Option<PathBuf>> = OnceLock::new();
    SERVER
        .get_or_init(|| match installed() {
            Ok(program) => Some(program),
            Err(why) => {
                assert!(std::env::var_os("LAUNCHWAY_REQUIRE_EDITOR").is_none(), "no YAML language server: {why}");
                println!("skipped: no YAML language server: {why}");
                None
            }
        })
        .clone()
}

fn installed() -> Result<PathBuf, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let target = this.ancestors().nth(3).ok_or("this program lies in no target folder")?;
    let place = target.join(format!("npm/yaml-language-server-{VERSION}"));
    let program = place.join("node_modules/yaml-language-server/bin/yaml-language-server");
    if program.is_file() {
        return Ok(program);
    }
    // Made elsewhere and renamed: nobody finds half of it, and of two who make it one is enough.
    fs::create_dir_all(target.join("npm")).map_err(|error| error.to_string())?;
    let made = tempfile::tempdir_in(target.join("npm")).map_err(|error| error.to_string())?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-save", "--prefix"]).arg(made.path());
    let output = npm
        .arg(format!("yaml-language-server@{VERSION}"))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("npm: {error}"))?;
    if !output.status.success() {
        return Err(format!("npm: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    let made = made.keep();
    if let Err(error) = fs::rename(&made, &place) {
        let _ = fs::remove_dir_all(&made);
        if !program.is_file() {
            return Err(error.to_string());
        }
    }
    Ok(program)
}

/// An editor without a screen.
pub(crate) struct Editor {
    server: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    last: u64,
}

impl Editor {
    pub(crate) fn start(program: &Path, project: &Path) -> Self {
        let mut command = Command::new("node");
        command.arg(program).arg("--stdio").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut server = command.spawn().expect("node is where npm is");
        let (input, output) = (server.stdin.take(), server.stdout.take());
        let (sender, messages) = channel();
        let mut output = BufReader::new(output.expect("it is piped"));
        thread::spawn(move || {
            while let Some(message) = read(&mut output) {
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let mut editor = Self { server, input: input.expect("it is piped"), messages, last: 0 };
        let root = uri(project);
        editor.ask("initialize", json!({ "processId": null, "rootUri": root, "capabilities": {} }));
        editor.tell("initialized", json!({}));
        let settings = json!({ "yaml": {
            "validate": true, "hover": true, "completion": true, "schemaStore": { "enable": false },
        } });
        editor.tell("workspace/didChangeConfiguration", json!({ "settings": settings }));
        editor
    }

    /// Opens a file; returns what is wrong in it.
    pub(crate) fn open(&mut self, path: &Path, text: &str) -> Vec<String> {
        let uri = uri(path);
        let document = json!({ "uri": uri, "languageId": "yaml", "version": 1, "text": text });
        self.tell("textDocument/didOpen", json!({ "textDocument": document }));
        let found = self.wait(|message| {
            message["method"] == "textDocument/publishDiagnostics" && message["params"]["uri"] == uri.as_str()
        });
        let all = found["params"]["diagnostics"].as_array().cloned().unwrap_or_default();
        all.iter().map(|one| format!("{}: {}", one["range"]["start"]["line"], text_of(&one["message"]))).collect()
    }

    /// Returns what is offered at the `@` of a text.
    pub(crate) fn complete(&mut self, path: &Path, text: &str) -> Vec<String> {
        let answer = self.at_cursor("textDocument/completion", path, text);
        let items = answer["items"].as_array().or(answer.as_array()).cloned().unwrap_or_default();
        items.iter().map(|item| text_of(&item["label"])).collect()
    }

    /// Returns what is shown at the `@` of a text.
    pub(crate) fn hover(&mut self, path: &Path, text: &str) -> String {
        let answer = self.at_cursor("textDocument/hover", path, text);
        let contents = &answer["contents"];
        text_of(contents.get("value").unwrap_or(contents))
    }

    fn at_cursor(&mut self, method: &str, path: &Path, text: &str) -> Value {
        let (before, after) = text.split_once('@').expect("there is a cursor");
        self.open(path, &format!("{before}{after}"));
        let line = before.lines().count() - 1;
        let character = before.lines().last().map_or(0, str::len);
        let position = json!({ "line": line, "character": character });
        self.ask(method, json!({ "textDocument": { "uri": uri(path) }, "position": position }))
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let id = self.last;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        let answer = self.wait(|message| message["id"] == id && message.get("method").is_none());
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    fn tell(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    fn send(&mut self, message: &Value) {
        let body = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{body}", body.len()).expect("the server listens");
        self.input.flush().expect("the server listens");
    }

    /// Waits for a message; what the server asks meanwhile is answered with nothing.
    fn wait(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.messages.recv_timeout(PATIENCE).expect("the server answers in time");
            if message.get("method").is_some() && message.get("id").is_some() {
                self.send(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": null }));
            } else if wanted(&message) {
                return message;
            }
        }
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Reads a message; none at the end.
fn read(output: &mut BufReader<ChildStdout>) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("Content-Length") => length = value.parse().ok()?,
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    output.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}
