//! Models that the program knows by name, though it does not carry their weights: a manifest each, which says where they come from and
//! which file is meant.

/// The model that rewrites where no other is named.
pub const REWRITER: &str = "smollm2-135m-instruct";

/// Names and manifests.
const KNOWN: [(&str, &str); 1] = [(
    REWRITER,
    include_str!("../../../models/smollm2-135m-instruct/manifest.toml"),
)];

/// The names.
pub fn names() -> impl Iterator<Item = &'static str> {
    KNOWN.into_iter().map(|(name, _)| name)
}

/// The manifest of a known model.
pub fn manifest(name: &str) -> Option<&'static str> {
    let mut known = KNOWN.into_iter();
    known
        .find(|(known, _)| *known == name)
        .map(|(_, text)| text)
}
