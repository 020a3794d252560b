//! What the planner asks of plugins, answered by the sandbox.

use launchway_model::{ApplicationName, Digest, KindInfo, KindRef, PluginName, Problem, Proposal};
use launchway_planner::inputs::{PlanAnswer, PluginError, Plugins};
use launchway_runtime::{PluginFault, PluginSet};
use serde_json::Value;

use super::LazyRuntime;
use crate::error::chain;

pub(crate) struct PlanningPlugins<'a> {
    pub set: &'a PluginSet,
    pub application: &'a ApplicationName,
    pub runtime: &'a LazyRuntime,
}

impl Plugins for PlanningPlugins<'_> {
    fn kind(&self, kind: &KindRef) -> Option<&KindInfo> {
        self.set.info(&kind.plugin)?.kind(&kind.kind)
    }

    fn kinds(&self) -> Vec<KindRef> {
        self.set.kinds().collect()
    }

    fn digest(&self, plugin: &PluginName) -> Option<Digest> {
        self.set.digest(plugin)
    }

    fn validate(&self, kind: &KindRef, properties: &[Value]) -> Result<Vec<Vec<Problem>>, PluginError> {
        let answer = self.runtime.block_on(self.set.validate(kind, properties));
        answer.map_err(|fault| error(&kind.plugin, &fault))
    }

    fn plan(&self, plugin: &PluginName, proposals: &[Proposal]) -> Result<Vec<PlanAnswer>, PluginError> {
        let answer = self.runtime.block_on(self.set.plan(plugin, self.application, proposals));
        answer.map_err(|fault| error(plugin, &fault))
    }
}

fn error(plugin: &PluginName, fault: &PluginFault) -> PluginError {
    PluginError { plugin: plugin.clone(), message: chain(fault) }
}
