//! The plugin as a component: the contract's exports over a [`Plugin`](crate::Plugin), its imports as a [`Host`].

use std::time::Duration;

use crate::bindings::launchway::plugin::secrets::{self, Secret};
use crate::bindings::launchway::plugin::{clock, http, log, net, target};
use crate::{
    Artifact, Command, Failure, FileOptions, FileStatus, Host, Level, Output, Part, Request, Response, Source, Text,
    Vantage, Written,
};

/// The host's imports.
pub struct ComponentHost;

impl Host for ComponentHost {
    fn log(&self, level: Level, message: &str) {
        log::emit(level, message);
    }

    fn progress(&self, fraction: Option<f32>, message: &str) {
        log::progress(fraction, message);
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(clock::elapsed_ms())
    }

    fn exec(&self, command: &Command) -> Result<Output, Failure> {
        Handles::open(command.texts())?.exec(command)
    }

    fn exec_plain(&self, command: &Command) -> Result<Output, Failure> {
        Handles(Vec::new()).exec(command)
    }

    fn put(&self, source: &Source, path: &str, options: &FileOptions) -> Result<Written, Failure> {
        match source {
            Source::Artifact(name) => target::put(&target::Source::Artifact(name.clone()), path, options),
            Source::Bytes(bytes) => target::put(&target::Source::Bytes(bytes.clone()), path, options),
            Source::Text(text) => {
                let handles = Handles::open([text])?;
                target::put(&target::Source::Text(handles.parts(text)), path, options)
            }
        }
    }

    fn read(&self, path: &str, limit: u64, as_user: Option<&str>) -> Result<Option<Vec<u8>>, Failure> {
        target::read(path, limit, as_user)
    }

    fn stat(&self, path: &str, as_user: Option<&str>) -> Result<Option<FileStatus>, Failure> {
        target::stat(path, as_user)
    }

    fn send(&self, request: &Request) -> Result<Response, Failure> {
        let handles = Handles::open(request.headers.iter().map(|(_, text)| text))?;
        http::send(&handles.request(request))
    }

    fn download(&self, request: &Request, file_name: &str) -> Result<Artifact, Failure> {
        let handles = Handles::open(request.headers.iter().map(|(_, text)| text))?;
        http::download(&handles.request(request), file_name)
    }

    fn connect(&self, address: &str, port: u16, timeout: Duration, from: Vantage) -> Result<(), Failure> {
        net::connect(address, port, millis(timeout), from)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The secrets of one call, opened.
struct Handles(Vec<(String, Secret)>);

impl Handles {
    fn open<'a>(texts: impl IntoIterator<Item = &'a Text>) -> Result<Self, Failure> {
        let mut handles: Vec<(String, Secret)> = Vec::new();
        for part in texts.into_iter().flat_map(Text::parts) {
            if let Part::Secret(name) = part
                && !handles.iter().any(|(known, _)| known == name)
            {
                handles.push((name.clone(), secrets::open(name)?));
            }
        }
        Ok(Self(handles))
    }

    fn parts(&self, text: &Text) -> Vec<secrets::Part<'_>> {
        let part = |part: &Part| match part {
            Part::Text(text) => Some(secrets::Part::Text(text.clone())),
            Part::Secret(name) => {
                self.0.iter().find(|(known, _)| known == name).map(|(_, secret)| secrets::Part::Secret(secret))
            }
        };
        text.parts().iter().filter_map(part).collect()
    }

    fn exec(&self, command: &Command) -> Result<Output, Failure> {
        let variable = |(name, text): &(String, Text)| target::Variable { name: name.clone(), value: self.parts(text) };
        target::exec(&target::Command {
            argv: command.argv.clone(),
            env: command.env.iter().map(variable).collect(),
            cwd: command.cwd.clone(),
            stdin: self.parts(&command.stdin),
            as_user: command.as_user.clone(),
            timeout_ms: command.timeout.map(millis),
            quiet: command.quiet,
        })
    }

    fn request(&self, request: &Request) -> http::Request<'_> {
        let header = |(name, text): &(String, Text)| http::Header { name: name.clone(), value: self.parts(text) };
        http::Request {
            method: request.method.clone(),
            url: request.url.clone(),
            headers: request.headers.iter().map(header).collect(),
            body: request.body.clone(),
            timeout_ms: request.timeout.map(millis),
            redirects: request.redirects,
            tls: http::Tls { authorities: request.tls.authorities.clone(), insecure: request.tls.insecure },
            from: request.from,
        }
    }
}

/// Sends the text of a panic to the host: all that it would see else is a trap.
#[doc(hidden)]
pub fn report_panics() {
    std::panic::set_hook(Box::new(|info| log::emit(Level::Error, &info.to_string())));
}

/// Makes the contract's exports of a plugin.
#[doc(hidden)]
#[macro_export]
macro_rules! component {
    ($plugin:path) => {
        use $crate::bindings::exports::launchway::plugin::{deployment, description, planning};
        use $crate::wire;

        struct Component;

        impl description::Guest for Component {
            fn describe() -> wire::Info {
                $crate::report_panics();
                $plugin.describe()
            }
        }

        impl planning::Guest for Component {
            fn validate(kind: String, properties: String) -> Vec<wire::Problem> {
                $crate::report_panics();
                $plugin.validate(&kind, &properties)
            }
            fn plan(proposals: Vec<wire::Proposal>) -> Vec<Result<Vec<wire::Step>, Vec<wire::Problem>>> {
                $crate::report_panics();
                proposals.iter().map(|proposal| $plugin.plan(proposal)).collect()
            }
        }

        impl deployment::Guest for Component {
            fn apply(instance: wire::Instance, step: wire::Step) -> Result<wire::Outcome, wire::Failure> {
                $crate::report_panics();
                $plugin.apply(&$crate::ComponentHost, &instance, &step)
            }
            fn poll(
                instance: wire::Instance,
                step: wire::Step,
                token: String,
            ) -> Result<wire::Outcome, wire::Failure> {
                $crate::report_panics();
                $plugin.poll(&$crate::ComponentHost, &instance, &step, &token)
            }
            fn probe(instance: wire::Instance, step: wire::Step) -> Result<wire::Verdict, wire::Failure> {
                $crate::report_panics();
                $plugin.probe(&$crate::ComponentHost, &instance, &step)
            }
            fn inspect(instance: wire::Instance) -> Result<wire::Report, wire::Failure> {
                $crate::report_panics();
                $plugin.inspect(&$crate::ComponentHost, &instance)
            }
        }

        $crate::bindings::export!(Component with_types_in $crate::bindings);
    };
}
