//! In the place of writing Parquet where the feature `parquet` is off: nothing can be made.

use std::io::{self, Write};
use std::marker::PhantomData;

use super::{Record, Sink};

/// Would write Parquet.
pub struct Parquet<W: Write + Send>(PhantomData<W>);

impl<W: Write + Send> Parquet<W> {
    /// Would write to `out`.
    pub fn new(_: W) -> Self {
        Self(PhantomData)
    }

    /// An error.
    ///
    /// # Errors
    /// Always.
    pub fn finish(self) -> io::Result<()> {
        Err(off())
    }
}

impl<W: Write + Send> Sink for Parquet<W> {
    fn write(&mut self, _: &Record) -> io::Result<()> {
        Err(off())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn off() -> io::Error {
    io::Error::other("this program was built without its feature `parquet`")
}
