//! Compiled code, and the one place where it becomes executable.

use std::borrow::Cow;

use wasmtime::Engine;
use wasmtime::component::Component;

use super::EngineError;
use super::engine::chain;

/// Code that this very program made: embedded in it, just compiled by its own child, or from its cache with a proof.
///
/// The type is the proof: whoever has the bytes of a foreign file can't make one of them.
#[derive(Clone)]
pub(crate) struct TrustedCode(Cow<'static, [u8]>);

impl TrustedCode {
    /// Takes code that was linked into this binary.
    pub(crate) fn embedded(cwasm: &'static [u8]) -> Self {
        Self(Cow::Borrowed(cwasm))
    }

    /// Takes code that the compiler of this process or of its child has put out.
    pub(super) fn compiled(cwasm: Vec<u8>) -> Self {
        Self(Cow::Owned(cwasm))
    }

    /// Takes code whose MAC was checked over these very bytes.
    pub(super) fn verified(cwasm: Vec<u8>) -> Self {
        Self(Cow::Owned(cwasm))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Makes the code executable.
    pub(crate) fn load(&self, engine: &Engine) -> Result<Component, EngineError> {
        #[expect(unsafe_code, reason = "the bytes are the compiler's own: see the constructors")]
        // SAFETY: `deserialize` wants bytes that this version of Wasmtime made, unaltered. Every constructor stands for
        // that, and code of another version or configuration is refused with an error.
        let component = unsafe { Component::deserialize(engine, &self.0) };
        component.map_err(|error| EngineError::Code(chain(&error)))
    }
}
