//! What is deployed where, as last confirmed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    ApplicationName, Digest, EnvironmentName, FormatVersion, InstanceId, InstanceSpec, Lineage, Requirement, RunId,
    SecretName, TargetName, Version,
};

/// The state of one application in one environment.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ApplicationState {
    pub format: FormatVersion,
    pub environment: EnvironmentName,
    pub application: ApplicationName,
    pub lineage: Lineage,
    /// Grows with every write.
    pub serial: u64,
    /// The version of the last run that ended well; none when nothing is deployed.
    pub version: Option<Version>,
    /// The release that version was deployed from.
    pub release: Option<Digest>,
    /// What it needs of other applications. After a run that did not end well: what it needed before and in that run.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub requires: BTreeSet<Requirement>,
    /// Serialised as a list, sorted by instance.
    #[serde(with = "instance_list")]
    pub instances: BTreeMap<InstanceId, InstanceRecord>,
}

impl ApplicationState {
    pub const FORMAT: FormatVersion = FormatVersion(1);

    /// Returns the state of an application that was never deployed.
    pub fn empty(environment: EnvironmentName, application: ApplicationName, lineage: Lineage) -> Self {
        Self {
            format: Self::FORMAT,
            environment,
            application,
            lineage,
            serial: 0,
            version: None,
            release: None,
            requires: BTreeSet::new(),
            instances: BTreeMap::new(),
        }
    }
}

/// What is known of one instance. At least one of the two is there.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct InstanceRecord {
    /// What was last confirmed to be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Arc<Deployed>>,
    /// A run touched it since and did not commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dirty: Option<Dirty>,
    /// It was committed although a step of it was skipped.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub assumed: bool,
    /// The run that last wrote this record.
    pub run: RunId,
}

impl InstanceRecord {
    /// Returns the record under another name. With `same_target` its target goes by another name, too; otherwise what
    /// is recorded of that stays.
    pub fn renamed(self, id: &InstanceId, same_target: bool) -> Self {
        let rename = |deployed: Arc<Deployed>| {
            let mut deployed = Deployed::clone(&deployed);
            deployed.spec.id = id.clone();
            if same_target {
                deployed.target =
                    Arc::new(TargetSpec { name: id.target.clone(), ..TargetSpec::clone(&deployed.target) });
            }
            Arc::new(deployed)
        };
        Self {
            confirmed: self.confirmed.map(rename),
            dirty: self.dirty.map(|dirty| Dirty { to: dirty.to.map(rename), ..dirty }),
            ..self
        }
    }
}

/// The mark of a run that began to change an instance.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Dirty {
    pub run: RunId,
    /// What may be there: what the run was to leave, or what it was taking away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Arc<Deployed>>,
    /// It was taking the instance away.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleting: bool,
    /// The run touched nothing: it took over what it found, which differs from that in this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differs: Option<String>,
}

/// An instance as it was deployed, with all that is needed to delete or restore it later.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Deployed {
    pub spec: InstanceSpec,
    pub target: Arc<TargetSpec>,
    /// The digest of the plugin that deployed it.
    pub plugin: Digest,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<SecretName, Fingerprint>,
}

/// What tells a secret's value from another one without telling the value: a provider's version, or a keyed HMAC.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fingerprint {
    Version(String),
    Hmac(String),
    /// The value could not be read when the plan was made.
    Unchecked,
}

/// How a target is reached.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TargetSpec {
    pub name: TargetName,
    /// A host name or an IP address.
    pub address: String,
    pub transport: Transport,
    /// The user to log in as; none leaves it to the SSH configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    #[serde(default, skip_serializing_if = "SshOptions::is_default")]
    pub ssh: SshOptions,
    #[serde(default, skip_serializing_if = "Escalation::is_default")]
    pub escalation: Escalation,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// How many steps may run on it at once; none is the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_steps: Option<u32>,
}

/// The way to a target.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// Commands run on the target through SSH.
    Ssh,
    /// Commands run on the machine Launchway runs on.
    Local,
}

/// How SSH connections are made.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SshOptions {
    /// A private key's file. Relative paths start at the project's folder, `~` is the home folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_file: Option<PathBuf>,
    /// Hosts to pass on the way, in order: `[user@]host[:port]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("items" = { "type": "string", "format": "launchway-jump" }))]
    pub jump: Vec<String>,
    /// An SSH client configuration to use instead of `~/.ssh/config`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_file: Option<PathBuf>,
    /// A known-hosts file to use instead of `~/.ssh/known_hosts`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_hosts: Option<PathBuf>,
    /// `strict` if not given.
    #[serde(default, skip_serializing_if = "HostKeyChecking::is_default")]
    pub host_key_checking: HostKeyChecking,
    /// Seconds until a connection attempt is given up; 10 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86_400))]
    pub connect_timeout: Option<u32>,
}

impl SshOptions {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What to do about host keys.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HostKeyChecking {
    /// The key must be known.
    #[default]
    Strict,
    /// A new host's key is added; a changed one is refused.
    AcceptNew,
    /// Anything goes. For throw-away test hosts only.
    Off,
}

impl HostKeyChecking {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How commands become another user on a target.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Escalation {
    pub method: EscalationMethod,
    /// The secret that holds the password, where one is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretName>,
}

impl Escalation {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A program that runs commands as another user.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EscalationMethod {
    /// The program `sudo`.
    #[default]
    Sudo,
    /// The program `doas`.
    Doas,
    /// The program `su`.
    Su,
}

mod instance_list {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::{InstanceId, InstanceRecord};

    #[derive(Serialize)]
    struct Borrowed<'a> {
        #[serde(flatten)]
        id: &'a InstanceId,
        #[serde(flatten)]
        record: &'a InstanceRecord,
    }

    #[derive(Deserialize)]
    struct Owned {
        #[serde(flatten)]
        id: InstanceId,
        #[serde(flatten)]
        record: InstanceRecord,
    }

    pub(super) fn serialize<S: Serializer>(
        instances: &BTreeMap<InstanceId, InstanceRecord>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(instances.iter().map(|(id, record)| Borrowed { id, record }))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<InstanceId, InstanceRecord>, D::Error> {
        let list = Vec::<Owned>::deserialize(deserializer)?;
        Ok(list.into_iter().map(|entry| (entry.id, entry.record)).collect())
    }
}
