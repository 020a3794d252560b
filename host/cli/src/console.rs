//! Standard output for data, standard error for narration.

use std::io::{self, IsTerminal, Write};

use launchway_report::{Paint, SCHEMA, diagnostics_json, diagnostics_text, inline, line};
use serde::Serialize;
use serde_json::json;

use crate::args::Global;
use crate::error::{CliError, io_text};
use crate::exit::Exit;

/// How wide text is where there is no terminal.
const WIDTH: usize = 100;

/// How this process talks to whoever started it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Console {
    pub json: bool,
    pub quiet: bool,
    pub verbose: bool,
    /// For standard output.
    pub paint: Paint,
    /// For standard error.
    pub paint_err: Paint,
    /// Progress may be drawn.
    pub draw: bool,
    width: usize,
}

impl Console {
    /// Returns it with plain lines in place of a drawing.
    pub(crate) fn without_drawing(self) -> Self {
        Self { draw: false, ..self }
    }

    pub(crate) fn new(global: &Global) -> Self {
        let plain = global.no_color || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let colour = |is_terminal: bool| Paint { colour: is_terminal && !plain && !dumb };
        let err = io::stderr().is_terminal();
        Self {
            json: global.json,
            quiet: global.quiet,
            verbose: global.verbose,
            paint: colour(io::stdout().is_terminal() && !global.json),
            paint_err: colour(err),
            draw: err && !plain && !dumb && !global.quiet && !global.json,
            width: if err { terminal_width().unwrap_or(WIDTH) } else { WIDTH },
        }
    }

    /// Writes data.
    pub(crate) fn data(&self, text: &str) -> Result<(), CliError> {
        write_out(text)
    }

    /// Says something to whoever watches.
    pub(crate) fn say(&self, text: &str) {
        if !self.quiet {
            complain(text);
        }
    }

    /// Shows warnings; none in JSON, where each command has its own place for them.
    pub(crate) fn warnings(&self, sources: &launchway_model::Sources, warnings: &launchway_model::Diagnostics) {
        if !self.json && !warnings.is_empty() {
            self.say(&diagnostics_text(sources, warnings, self.paint_err.colour, self.width));
        }
    }

    /// Shows an error, and returns the exit code that goes with it.
    pub(crate) fn error(&self, error: &CliError) -> Exit {
        if self.json {
            // Whoever closed standard output does not want to know.
            let _ = write_out(&error_json(error));
        }
        match &error.findings {
            Some(findings) => {
                let (sources, diagnostics) = &**findings;
                complain(&diagnostics_text(sources, diagnostics, self.paint_err.colour, self.width));
            }
            None => {
                let mut lines = error.message.lines().map(inline);
                let first = lines.next().unwrap_or_default();
                complain(&format!("{} {first}\n", self.paint_err.red("error:")));
                lines.for_each(|line| complain(&format!("  {line}\n")));
            }
        }
        if let Some(hint) = &error.hint {
            complain(&format!("{} {}\n", self.paint_err.cyan("hint:"), inline(hint)));
        }
        error.exit
    }
}

#[derive(Serialize)]
struct ErrorJson {
    schema: u32,
    error: serde_json::Value,
}

/// Returns an error for machines: one line, so that it fits the end of a stream too.
pub(crate) fn error_json(error: &CliError) -> String {
    let diagnostics = error.findings.as_deref().map(|(sources, findings)| diagnostics_json(sources, findings));
    line(&ErrorJson {
        schema: SCHEMA,
        error: json!({
            "code": error.code,
            "exit_code": error.exit.number(),
            "message": error.message,
            "hint": error.hint,
            "diagnostics": diagnostics.unwrap_or_default(),
        }),
    })
}

/// Writes to standard output. A reader that went away is no error: it has what it wanted.
pub(crate) fn write_out(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CliError::new(Exit::Internal, "output", format!("can't write to standard output: {}", io_text(&error))))
        }
        _ => Ok(()),
    }
}

/// Writes to standard error, if anybody reads it.
pub(crate) fn complain(text: &str) {
    // There is nowhere left to report a failure to.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stderr()).ok()?;
    (size.ws_col > 0).then(|| usize::from(size.ws_col))
}
