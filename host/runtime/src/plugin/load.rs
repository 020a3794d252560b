//! From a file that a project names to a plugin: read, check, compile or find in the cache, describe.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::thread;

use launchway_model::{Digest, PluginInfo, PluginName};

use super::admission::{self, Uses};
use super::cache::{Cache, Entry, EntryName};
use super::code::TrustedCode;
use super::compile;
use super::engine::{Sandbox, chain};
use super::guest::{ask, in_time};
use super::{Activity, EngineError, Limits, LoadError, PluginFault, PluginFile, PluginOptions, answer, linkers};

/// A little more than the largest component that is accepted, in bytes.
const READ_LIMIT: u64 = 64 << 20;

/// A plugin that can be linked.
pub(crate) struct Ready {
    pub(crate) info: PluginInfo,
    pub(crate) digest: Digest,
    pub(crate) code: TrustedCode,
}

/// What loading files takes, made once for all of them.
pub(crate) struct Loader<'a> {
    sandbox: Sandbox,
    cache: Option<Cache>,
    options: &'a PluginOptions,
}

impl<'a> Loader<'a> {
    pub(crate) fn new(options: &'a PluginOptions) -> Result<Self, EngineError> {
        let cache = options.cache.as_ref().and_then(Cache::open);
        Ok(Self { sandbox: Sandbox::plain()?, cache, options })
    }

    /// Loads a plugin from its file.
    pub(crate) fn load(&self, file: &PluginFile) -> Result<Ready, LoadError> {
        let plugin = &file.name;
        let bytes = read(&file.path).map_err(|reason| LoadError::Read {
            plugin: plugin.clone(),
            path: file.path.clone(),
            reason: reason.to_string(),
        })?;
        // Before the cache too: what is granted may have changed since.
        let uses = admission::inspect(plugin, &file.path, &bytes)?;
        admission::check_grant(plugin, &uses, &file.grant)?;

        let digest = Digest::of(&bytes);
        let name = EntryName::new(self.sandbox.engine(), &digest);
        if let Some(ready) = self.cached(plugin, &name, digest) {
            check_declared(&ready.info, &uses)?;
            return Ok(ready);
        }
        let code = compile::compile_in_child(&self.options.compiler, &bytes)
            .map_err(|reason| LoadError::Compile { plugin: plugin.clone(), reason })?;
        let info = describe_blocking(&self.sandbox, plugin, &code, &self.options.limits)
            .map_err(|fault| LoadError::Describe { plugin: plugin.clone(), fault })?;
        check_declared(&info, &uses)?;
        if let (Some(cache), Ok(info_json)) = (&self.cache, serde_json::to_string(&info)) {
            // A cache that can't be written costs time, not correctness.
            let _ = cache.put(&name, &Entry { info_json, code: code.clone() });
        }
        Ok(Ready { info, digest, code })
    }

    fn cached(&self, plugin: &PluginName, name: &EntryName, digest: Digest) -> Option<Ready> {
        let entry = self.cache.as_ref()?.get(name)?;
        let info: PluginInfo = serde_json::from_str(&entry.info_json).ok()?;
        // The same file may go by another name in another project, and then calls itself wrongly.
        (info.name == *plugin).then_some(Ready { info, digest, code: entry.code })
    }
}

/// Checks, compiles and describes one of our own plugins, for embedding.
pub(crate) fn prepare(plugin: &PluginName, path: &Path, bytes: &[u8]) -> Result<Ready, LoadError> {
    let uses = admission::inspect(plugin, path, bytes)?;
    let described = |fault: PluginFault| LoadError::Describe { plugin: plugin.clone(), fault };
    let sandbox = Sandbox::plain().map_err(|error| described(error.into()))?;
    let code = compile::compile_here(&sandbox, bytes)
        .map_err(|reason| LoadError::Compile { plugin: plugin.clone(), reason })?;
    let info = describe_blocking(&sandbox, plugin, &code, &Limits::default()).map_err(described)?;
    check_declared(&info, &uses)?;
    Ok(Ready { info, digest: Digest::of(bytes), code })
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(READ_LIMIT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn check_declared(info: &PluginInfo, uses: &Uses) -> Result<(), LoadError> {
    let declared: Vec<&str> = info.capabilities.iter().map(|capability| capability.name.as_str()).collect();
    admission::check_declared(&info.name, uses, &declared)
}

/// Asks a plugin what it is, from anywhere: in a thread of its own, since the caller may be async already.
fn describe_blocking(
    sandbox: &Sandbox,
    plugin: &PluginName,
    code: &TrustedCode,
    limits: &Limits,
) -> Result<PluginInfo, PluginFault> {
    thread::scope(|scope| {
        let describing = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .map_err(|error| EngineError::Host(format!("no runtime: {error}")))?;
            runtime.block_on(describe(sandbox, plugin, code, limits))
        });
        describing
            .join()
            .unwrap_or_else(|_| Err(EngineError::Host("describing it went wrong on the host's side".to_owned()).into()))
    })
}

async fn describe(
    sandbox: &Sandbox,
    plugin: &PluginName,
    code: &TrustedCode,
    limits: &Limits,
) -> Result<PluginInfo, PluginFault> {
    let component = code.load(sandbox.engine())?;
    let linked = linkers::planning(sandbox.engine(), &component).map_err(|error| EngineError::Code(chain(&error)))?;
    let at = Activity::Describing;
    let call = ask(
        sandbox,
        &linked,
        at,
        None,
        limits,
        Box::new(|plugin, store| Box::pin(plugin.launchway_plugin_description().call_describe(store))),
    );
    let told = in_time(limits.planning_time, at, call).await?;
    answer::info(plugin, told.value).map_err(|why| PluginFault::BadAnswer { at, why })
}
