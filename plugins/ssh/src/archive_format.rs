//! How a release is packed.

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Format {
    Tar,
    TarGz,
    TarBz2,
    TarXz,
    TarZst,
    Zip,
}

/// How many bytes [`Format::of_bytes`] wants to see.
pub(crate) const MAGIC_LENGTH: u64 = 264;

impl Format {
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let endings = [
            (".tar", Self::Tar),
            (".tar.gz", Self::TarGz),
            (".tgz", Self::TarGz),
            (".tar.bz2", Self::TarBz2),
            (".tar.xz", Self::TarXz),
            (".tar.zst", Self::TarZst),
            (".tzst", Self::TarZst),
            (".zip", Self::Zip),
        ];
        endings.into_iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, format)| format)
    }

    pub(crate) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let beginnings: [(&[u8], Self); 5] = [
            (b"\x1f\x8b", Self::TarGz),
            (b"BZh", Self::TarBz2),
            (b"\xfd7zXZ\0", Self::TarXz),
            (b"\x28\xb5\x2f\xfd", Self::TarZst),
            (b"PK\x03\x04", Self::Zip),
        ];
        let known = beginnings.into_iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, format)| format);
        known.or_else(|| (bytes.get(257..262) == Some(b"ustar")).then_some(Self::Tar))
    }

    /// Returns the name by which the scripts know it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Tar => "tar",
            Self::TarGz => "tar.gz",
            Self::TarBz2 => "tar.bz2",
            Self::TarXz => "tar.xz",
            Self::TarZst => "tar.zst",
            Self::Zip => "zip",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_known_by_name_and_by_content() {
        assert_eq!(Format::of_name("Shop-1.0.TAR.GZ"), Some(Format::TarGz));
        assert_eq!(Format::of_name("shop.tar.zst"), Some(Format::TarZst));
        assert_eq!(Format::of_name("shop"), None);
        assert_eq!(Format::of_bytes(b"PK\x03\x04rest"), Some(Format::Zip));
        let mut tar = vec![0; 512];
        tar[257..262].copy_from_slice(b"ustar");
        assert_eq!(Format::of_bytes(&tar), Some(Format::Tar));
        assert_eq!(Format::of_bytes(b"#!/bin/sh"), None);
        assert_eq!(Format::of_bytes(b""), None);
    }
}
