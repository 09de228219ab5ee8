//! Models that the program knows by name, though it does not carry all their weights: a manifest each, which says where the rest comes from
//! and which file is meant, and the files that lie beside it.

/// The model that rewrites where no other is named.
pub const REWRITER: &str = "rewriter-en-small";

/// A model known by name.
pub struct Known {
    /// The name.
    pub name: &'static str,
    /// Its manifest.
    pub manifest: &'static str,
    /// Files that the program carries, by name.
    pub files: &'static [(&'static str, &'static [u8])],
}

/// All of them.
pub const ALL: [Known; 2] = [
    Known {
        name: REWRITER,
        manifest: include_str!("../../../models/rewriter-en-small/manifest.toml"),
        files: &[
            (
                "adapter_config.json",
                include_bytes!("../../../models/rewriter-en-small/adapter_config.json"),
            ),
            (
                "adapter_model.safetensors",
                include_bytes!("../../../models/rewriter-en-small/adapter_model.safetensors"),
            ),
        ],
    },
    Known {
        name: "smollm2-135m-instruct",
        manifest: include_str!("../../../models/smollm2-135m-instruct/manifest.toml"),
        files: &[],
    },
];

/// The one called `name`.
pub fn find(name: &str) -> Option<&'static Known> {
    const { &ALL }.iter().find(|known| known.name == name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::Manifest;
    use crate::model::store::sha256;

    #[test]
    fn what_the_program_carries_is_what_the_manifests_mean_and_the_rest_is_in_the_package() {
        for known in &ALL {
            let manifest = Manifest::parse(known.manifest).unwrap();
            assert_eq!(manifest.name, known.name);
            let members = manifest.package.as_ref().unwrap().members.clone();
            for (name, sum) in manifest.files() {
                let carried = known.files.iter().find(|(file, _)| *file == name);
                assert_eq!(carried.is_none(), members.contains_key(name), "{name}");
                assert!(
                    carried.is_none_or(|(_, bytes)| sha256(bytes) == sum),
                    "{name}"
                );
            }
        }
    }
}
