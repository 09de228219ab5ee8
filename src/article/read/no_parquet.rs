//! In the place of reading Parquet where the feature `parquet` is off.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::malformed;
use super::open::{Articles, Container};

/// One error in the place of the file.
pub(super) fn open(_: File, container: Container, _: Arc<AtomicU64>) -> Articles {
    let error = malformed(
        "this is a Parquet file, and this program was built without its feature `parquet`",
    );
    Box::new(container.broken(container.id.clone(), error).into_iter())
}
