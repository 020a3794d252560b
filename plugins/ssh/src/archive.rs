//! `ssh/archive`: releases side by side, and a link to the one that is used.

use launchway_sdk::{
    ArtifactName, Change, Context, Failure, FileOptions, Instance, Kind, Outcome, OwnedPath, Phase, Problem, Proposal,
    Report, ResourceResult, ResourceStatus, Setting, Source, Step, Usage, path_problems,
};
#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::archive_format::{Format, MAGIC_LENGTH};
use crate::shared::{Ownership, has_changed, script};

pub(crate) struct Archive;

#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema), schemars(deny_unknown_fields))]
pub(crate) struct Properties {
    /// The release's archive: a name under `artifacts:`. It is a tar (plain, gzip, bzip2, xz or zstd) or a zip, as
    /// its file name says, or else its first bytes.
    artifact: ArtifactName,
    /// The folder for the releases: `releases/<version>-<digest>`, and `current`, a link to one of them.
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
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    as_user: Option<String>,
}

fn default_keep() -> Setting<u32> {
    Setting(3)
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Payload {
    action: Action,
    /// The release's folder; none where it is about all of them.
    release: String,
    with: Properties,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Action {
    /// Uploads and unpacks the release, unless it is there.
    Unpack,
    /// Makes the release the current one.
    Switch,
    /// Removes old releases.
    Prune,
    /// Removes all releases.
    Remove,
}

impl Kind for Archive {
    type Properties = Properties;
    type Payload = Payload;

    const SUMMARY: &'static str = "Unpacks releases side by side and switches a link to the current one.";
    const USAGE: Usage = Usage::Component;

    fn validate(properties: &Properties) -> Vec<Problem> {
        let mut problems = path_problems("/path", &properties.path);
        problems.extend(properties.ownership().problems());
        problems
    }

    fn plan(proposal: &Proposal<Properties>) -> Result<Vec<Step<Payload>>, Vec<Problem>> {
        let instance = proposal.instance();
        Ok(match &proposal.change {
            Change::Delete(_) => vec![remove(Phase::Remove, "remove", &instance.properties)],
            Change::Update { previous, .. } if previous.properties.path != instance.properties.path => {
                let mut steps = deploy(instance)?;
                // Ahead of the pruning, which is for after the commit.
                steps.insert(2, remove(Phase::Start, "remove-old", &previous.properties));
                steps
            }
            _ => deploy(instance)?,
        })
    }

    fn apply(context: &Context<'_>, payload: Payload) -> Result<Outcome, Failure> {
        let Payload { action, release, with } = &payload;
        let (path, ownership) = (&with.path, with.ownership());
        match action {
            Action::Unpack => with.unpack(context, release),
            Action::Switch => {
                let words = [path, release.as_str(), &ownership.chown_argument()];
                let output = ownership.script(context, script!("archive-switch"), &words)?;
                Ok(match has_changed(&output)? {
                    true => Outcome::changed_with(format!("{path}/current is {release}")),
                    false => Outcome::unchanged_with(format!("{path}/current was {release}")),
                })
            }
            Action::Prune => {
                let output = ownership.script(context, script!("archive-prune"), &[path, &with.keep.0.to_string()])?;
                Ok(match output.stdout.lines().count() {
                    0 => Outcome::unchanged_with("nothing to prune"),
                    1 => Outcome::changed_with(output.stdout.trim_end()),
                    count => Outcome::changed_with(format!("removed {count} releases")),
                })
            }
            Action::Remove => {
                let output = ownership.script(context, script!("archive-remove"), &[path])?;
                Ok(match has_changed(&output)? {
                    true => Outcome::changed_with(format!("removed the releases in {path}")),
                    false => Outcome::unchanged_with(format!("there were no releases in {path}")),
                })
            }
        }
    }

    fn inspect(context: &Context<'_>, properties: Properties) -> Result<Report, Failure> {
        let Some(artifact) = context.artifact("artifact") else {
            return Err(Failure::plugin("the instance has no archive"));
        };
        let release = release_name(&context.instance().version, &artifact.digest, properties.strip);
        let link = format!("{}/current", properties.path);
        let status = context.stat(&link, properties.as_user.as_deref())?;
        let found = status.and_then(|status| status.link);
        let expected = format!("releases/{release}");
        let (status, message) = match found {
            Some(found) if found == expected => (ResourceStatus::Unchanged, None),
            Some(found) => (ResourceStatus::Changed, Some(format!("it points to {found} instead of {expected}"))),
            None => (ResourceStatus::Changed, Some("it is missing".to_owned())),
        };
        let summary = message.clone().unwrap_or_else(|| "as it should be".to_owned());
        Ok(Report { summary, resources: vec![ResourceResult { name: link, status, message }] })
    }
}

impl Properties {
    fn ownership(&self) -> Ownership {
        Ownership { owner: self.owner.clone(), group: self.group.clone(), as_user: self.as_user.clone() }
    }

    fn payload(&self, action: Action, release: &str) -> Payload {
        Payload { action, release: release.to_owned(), with: self.clone() }
    }

    /// Uploads and unpacks a release, unless it is there: its folder appears when it is complete.
    fn unpack(&self, context: &Context<'_>, release: &str) -> Result<Outcome, Failure> {
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
        let words = [path, release, format.as_str(), &self.strip.to_string(), &owner];
        ownership.script(context, script!("archive-unpack"), &words)?;
        Ok(Outcome::changed_with(format!("unpacked to {path}/releases/{release}")))
    }
}

fn deploy(instance: &Instance<Properties>) -> Result<Vec<Step<Payload>>, Vec<Problem>> {
    let properties = &instance.properties;
    let Some(artifact) = instance.artifact("artifact") else {
        return Err(vec![Problem::new("/artifact", format!("the release has no artifact `{}`", properties.artifact))]);
    };
    let release = release_name(&instance.version, &artifact.digest, properties.strip);
    let path = &properties.path;
    let steps = [
        (Phase::Stage, "unpack", Action::Unpack, format!("Unpack {} to {path}/releases/{release}", artifact.file_name)),
        (Phase::Start, "switch", Action::Switch, format!("Switch {path}/current to {release}")),
        (Phase::Finish, "prune", Action::Prune, format!("Keep {} releases in {path}", properties.keep.0)),
    ];
    let step = |(phase, name, action, summary)| Step::new(phase, name, summary, properties.payload(action, &release));
    Ok(steps.map(step).into())
}

fn remove(phase: Phase, name: &str, properties: &Properties) -> Step<Payload> {
    let summary = format!("Remove the releases in {}", properties.path);
    Step::new(phase, name, summary, properties.payload(Action::Remove, ""))
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
