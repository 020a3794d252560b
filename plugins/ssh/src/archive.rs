//! `ssh/archive`: releases side by side, and a link to the one that is used.

use launchway_sdk::{
    ArtifactName, Change, Context, Failure, FileOptions, Instance, Kind, Outcome, OwnedPath, Phase, Problem, Proposal,
    Report, Setting, Source, Span, Step, Usage, path_problems,
};
#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;
use serde::Deserialize;

use crate::archive_format::{Format, MAGIC_LENGTH};
use crate::shared::{Look, Ownership, findings, has_changed, missing, script, within};

pub(crate) struct Archive;

#[derive(Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema), schemars(deny_unknown_fields))]
pub(crate) struct Properties {
    /// The release's archive: a name under `artifacts:`. It is a tar (plain, gzip, bzip2, xz or zstd) or a zip, as
    /// its file name says, or else its first bytes.
    artifact: ArtifactName,
    /// The folder for the releases: `releases/<version>-<digest>`, and `current`, a link to one of them.
    #[cfg_attr(not(target_family = "wasm"), schemars(extend("writes" = { "below": ["releases", "current"] })))]
    path: OwnedPath,
    /// How many releases stay, the current one included.
    #[serde(default = "default_keep")]
    #[cfg_attr(not(target_family = "wasm"), schemars(range(min = 1)))]
    keep: Setting<u32>,
    /// How many leading folders to take off the names in the archive.
    #[serde(default)]
    strip: u8,
    /// Whose files they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    /// Which group's files they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    /// Unpack as this user.
    #[serde(rename = "as")]
    as_user: Option<String>,
    /// How long each of its steps may take; 10m if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<Setting<Span>>,
}

fn default_keep() -> Setting<u32> {
    Setting(3)
}

impl Kind for Archive {
    type Properties = Properties;
    type Payload = Properties;

    const SUMMARY: &'static str = "Unpacks releases side by side and switches a link to the current one.";
    const USAGE: Usage = Usage::Component;

    fn validate(properties: &Properties) -> Vec<Problem> {
        let mut problems = path_problems("/path", &properties.path);
        properties.ownership().check(&mut problems);
        problems
    }

    fn plan(proposal: &Proposal<'_, Properties>) -> Result<Vec<Step>, Vec<Problem>> {
        let instance = proposal.instance();
        let steps = match &proposal.change {
            Change::Delete(_) => vec![remove(Phase::Remove, "remove", instance)],
            _ if proposal.is_only_asked() => Vec::new(),
            Change::Update { previous, .. } if previous.properties.path != instance.properties.path => {
                let mut steps = deploy(instance)?;
                // Ahead of the pruning, which is for after the commit.
                steps.insert(2, remove(Phase::Start, "remove-old", previous));
                steps
            }
            _ => deploy(instance)?,
        };
        Ok(within(instance.properties.timeout, steps))
    }

    fn apply(context: &Context<'_>, properties: Properties) -> Result<Outcome, Failure> {
        let (path, ownership) = (&properties.path, properties.ownership());
        match context.step_name() {
            "unpack" => properties.unpack(context),
            "switch" => {
                let release = &properties.release(context)?;
                let words = [path, release.as_str(), &ownership.chown_argument()];
                let output = ownership.script(context, script!("archive-switch"), &words)?;
                Ok(Outcome::of(has_changed(&output)?, format!("{path}/current is {release}")))
            }
            "prune" => {
                let output =
                    ownership.script(context, script!("archive-prune"), &[path, &properties.keep.0.to_string()])?;
                Ok(match output.stdout.lines().count() {
                    0 => Outcome::unchanged_with("nothing to prune"),
                    1 => Outcome::changed_with(output.stdout.trim_end()),
                    count => Outcome::changed_with(format!("removed {count} releases")),
                })
            }
            "remove" | "remove-old" => {
                let output = ownership.script(context, script!("archive-remove"), &[path])?;
                Ok(Outcome::of(has_changed(&output)?, format!("the releases in {path} are gone")))
            }
            _ => Err(context.unknown_step()),
        }
    }

    fn inspect(context: &Context<'_>, properties: Properties) -> Result<Report, Failure> {
        let release = properties.release(context)?;
        let (path, as_user) = (&properties.path, properties.as_user.as_deref());
        let link = format!("{path}/current");
        let expected = format!("releases/{release}");
        let current = match context.stat(&link, as_user)? {
            None => missing(link),
            Some(status) => {
                let mut look = Look::default();
                look.link(&status, &expected);
                look.result(link)
            }
        };
        let folder = format!("{path}/{expected}");
        let unpacked = match context.stat(&folder, as_user)? {
            None => missing(folder),
            Some(status) => {
                let mut look = Look::default();
                look.traits(&status, None, &properties.ownership());
                look.result(folder)
            }
        };
        Ok(findings(vec![current, unpacked]))
    }
}

impl Properties {
    fn ownership(&self) -> Ownership {
        Ownership { owner: self.owner.clone(), group: self.group.clone(), as_user: self.as_user.clone() }
    }

    /// Returns the name of the release's folder.
    fn release(&self, context: &Context<'_>) -> Result<String, Failure> {
        let Some(artifact) = context.artifact("artifact") else {
            return Err(Failure::plugin("the instance has no archive"));
        };
        Ok(release_name(&context.instance().version, &artifact.digest, self.strip))
    }

    /// Uploads and unpacks a release, unless it is there: its folder appears when it is complete.
    fn unpack(&self, context: &Context<'_>) -> Result<Outcome, Failure> {
        let release = &self.release(context)?;
        let Some(artifact) = context.artifact("artifact") else {
            return Err(Failure::plugin("the instance has no archive"));
        };
        let (path, ownership) = (&self.path, self.ownership());
        let owner = ownership.chown_argument();
        let output = ownership.script(context, script!("archive-prepare"), &[path, release, &owner])?;
        if !has_changed(&output)? {
            return Ok(Outcome::unchanged_with(format!("{path}/releases/{release} is there")));
        }
        let upload = format!("{path}/releases/.{release}.upload");
        context.progress(None, &format!("uploading {}", artifact.file_name));
        let options = FileOptions { mode: Some(0o600), as_user: self.as_user.clone(), ..FileOptions::default() };
        context.put(&Source::Artifact("artifact".to_owned()), &upload, &options)?;
        let format = match Format::of_name(&artifact.file_name) {
            Some(format) => format,
            None => {
                let bytes = context.read(&upload, MAGIC_LENGTH, self.as_user.as_deref())?.unwrap_or_default();
                Format::of_bytes(&bytes).ok_or_else(|| {
                    Failure::configuration(format!("{} is no archive", artifact.file_name))
                        .detail("known are tar (plain, gzip, bzip2, xz, zstd) and zip")
                })?
            }
        };
        context.progress(None, "unpacking");
        let words = [path, release.as_str(), format.as_str(), &self.strip.to_string(), &owner];
        ownership.script(context, script!("archive-unpack"), &words)?;
        Ok(Outcome::changed_with(format!("unpacked to {path}/releases/{release}")))
    }
}

fn deploy(instance: &Instance<'_, Properties>) -> Result<Vec<Step>, Vec<Problem>> {
    let properties = &instance.properties;
    let Some(artifact) = instance.artifact("artifact") else {
        return Err(vec![Problem::new("/artifact", format!("the release has no artifact `{}`", properties.artifact))]);
    };
    let release = release_name(instance.version(), &artifact.digest, properties.strip);
    let path = &properties.path;
    let unpack = format!("Unpack {} to {path}/releases/{release}", artifact.file_name);
    let switch = format!("Switch {path}/current to {release}");
    let plural = if properties.keep.0 == 1 { "" } else { "s" };
    let prune = format!("Keep {} release{plural} in {path}", properties.keep.0);
    Ok(vec![
        Step::of(instance, Phase::Stage, "unpack", unpack),
        Step::of(instance, Phase::Start, "switch", switch),
        Step::of(instance, Phase::Finish, "prune", prune),
    ])
}

fn remove(phase: Phase, name: &str, instance: &Instance<'_, Properties>) -> Step {
    Step::of(instance, phase, name, format!("Remove the releases in {}", instance.properties.path))
}

/// Returns the name of a release's folder: `<version>-<digest8>`.
fn release_name(version: &str, digest: &str, strip: u8) -> String {
    // A file name has at most 255 bytes, and ours come with a prefix and a suffix.
    const VERSION_LIMIT: usize = 180;
    let mut name = String::new();
    for character in version.chars() {
        let usable = !character.is_control() && character != '/' && !(name.is_empty() && character == '.');
        let character = if usable { character } else { '_' };
        if name.len() + character.len_utf8() > VERSION_LIMIT {
            break;
        }
        name.push(character);
    }
    let hex = digest.rsplit(':').next().unwrap_or_default();
    name.push('-');
    name.extend(hex.chars().take(8));
    if strip > 0 {
        // The same archive gives another folder.
        name.push_str(&format!("-s{strip}"));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::release_name;

    const DIGEST: &str = "sha256:0123456789abcdef";

    #[test]
    fn a_release_is_named_by_version_and_digest() {
        assert_eq!(release_name("2.3.0", DIGEST, 0), "2.3.0-01234567");
        assert_eq!(release_name("2.3.0", DIGEST, 1), "2.3.0-01234567-s1");
        assert_eq!(release_name("feature/x y", DIGEST, 0), "feature_x y-01234567");
        assert_eq!(release_name("../..", DIGEST, 0), "_._..-01234567");
        assert!(release_name(&"ü".repeat(300), DIGEST, 0).len() < 200);
    }
}
