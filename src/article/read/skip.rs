//! The run's own output, which may lie in a folder that is read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use same_file::Handle;

/// Files that are passed over wherever they are found.
#[derive(Debug, Clone, Default)]
pub struct Skip {
    /// Files that may be made only while the run goes on; the folder of each is a canonical path.
    paths: Vec<PathBuf>,
    /// Files that are open already.
    open: Vec<Arc<Handle>>,
}

impl Skip {
    /// Passes over the files at `paths`, which need not be there, and over those that are `open`.
    pub fn new(
        paths: impl IntoIterator<Item = PathBuf>,
        open: impl IntoIterator<Item = Handle>,
    ) -> Self {
        Self {
            paths: paths
                .into_iter()
                .map(|path| canonical(&path).unwrap_or(path))
                .collect(),
            open: open.into_iter().map(Arc::new).collect(),
        }
    }

    pub(super) fn holds(&self, path: &Path) -> bool {
        // Asking the file system of every file of a large folder takes its time: the name tells most.
        let is = |own: &PathBuf| {
            own.file_name() == path.file_name() && canonical(path).as_ref() == Some(own)
        };
        if self.paths.iter().any(is) {
            return true;
        }
        !self.open.is_empty()
            && path.is_file()
            && Handle::from_path(path)
                .is_ok_and(|found| self.open.iter().any(|open| **open == found))
    }
}

/// The path, its folder resolved; `None` for a folder that is not there.
fn canonical(path: &Path) -> Option<PathBuf> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new(".")).canonicalize().ok()?;
    Some(folder.join(path.file_name()?))
}
