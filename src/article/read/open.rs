//! Opening one file: decompression, the sniff of its format, and files that are one article.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use encoding_rs_io::DecodeReaderBytesBuilder;
use flate2::bufread::MultiGzDecoder;
use same_file::Handle;

use super::fuel::Fuel;
use super::{
    Fields, InputFormat, ReadOptions, Shard, failure, json, malformed, table, too_large,
    unreadable, walk,
};
use crate::article::{Content, Raw, encoding, html};
use crate::error::ArticleError;

/// The articles of one file.
pub(super) type Articles = Box<dyn Iterator<Item = Raw> + Send>;

/// How much of a file the sniff sees.
const HEAD: usize = 64 * 1024;
const GZIP: &[u8] = b"\x1f\x8b";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";

/// What readers of records need beside the bytes.
pub(super) struct Container {
    /// The file's path as it stands in ids.
    pub(super) id: String,
    pub(super) fields: Fields,
    pub(super) max_bytes: u64,
    /// The encoding that the file's start suggests, unless UTF-8.
    pub(super) encoding: Option<&'static str>,
    /// Whether records keep the fields that are not read.
    pub(super) passthrough: bool,
    pub(super) fuel: Fuel,
    shard: Option<Shard>,
}

impl Container {
    /// Whether a record of these bytes is in this run's shard. It was found, in any case.
    pub(super) fn takes(&self, bytes: &[u8]) -> bool {
        self.fuel.refill();
        self.shard.is_none_or(|shard| shard.takes(bytes))
    }

    /// The error record of a place in the file, if it is in this run's shard.
    pub(super) fn failed(&self, place: String, error: ArticleError) -> Option<Raw> {
        self.takes(place.as_bytes()).then(|| failure(place, error))
    }

    /// The id of the record at a line, or at a position in an array.
    pub(super) fn place(&self, number: u64) -> String {
        format!("{}#{number}", self.id)
    }
}

enum Shape {
    Text,
    Html,
    Lines,
    Values,
    Table(u8),
}

/// One error in the place of a file.
pub(super) fn failed(id: String, error: ArticleError, options: &ReadOptions) -> Articles {
    let takes = options.shard.is_none_or(|shard| shard.takes(id.as_bytes()));
    Box::new(takes.then(|| failure(id, error)).into_iter())
}

/// The articles of the file at `path`.
pub(super) fn file(path: &Path, options: &ReadOptions) -> Articles {
    let id = walk::id(path);
    if !options.skip.is_empty()
        && let Ok(found) = Handle::from_path(path)
        && options.skip.iter().any(|skip| **skip == found)
    {
        return Box::new(std::iter::empty());
    }
    match File::open(path) {
        Ok(file) => stream(&id, Box::new(file), options),
        Err(error) => failed(id, unreadable(error), options),
    }
}

/// The articles of a file's bytes; `id` is its path, whose extension tells the format.
pub(super) fn stream(id: &str, bytes: Box<dyn Read + Send>, options: &ReadOptions) -> Articles {
    let counted = Counted {
        bytes,
        position: options.position.clone(),
    };
    let (packed, input) = Replay::new(Box::new(counted));
    let fuel = Fuel::default();
    let most = options.max_bytes.saturating_mul(4);
    let input: Box<dyn Read + Send> = if packed.starts_with(GZIP) {
        fuel.meter(Box::new(MultiGzDecoder::new(BufReader::new(input))), most)
    } else if packed.starts_with(ZSTD) {
        match zstd::stream::read::Decoder::with_buffer(BufReader::new(input)) {
            Ok(decoder) => fuel.meter(Box::new(decoder), most),
            Err(error) => return failed(id.to_owned(), unreadable(error), options),
        }
    } else {
        Box::new(input)
    };
    let (head, input) = Replay::new(input);
    if let Err(error) = encoding::refuse_signature(&head) {
        return failed(id.to_owned(), error, options);
    }
    let utf16 = encoding::utf16(&head);
    let text = match utf16 {
        Some(encoding) => encoding.decode(&head).0,
        None => String::from_utf8_lossy(&head),
    };
    let shape = shape(id, text.trim_start_matches('\u{feff}'), options);
    if let Shape::Text | Shape::Html = shape {
        if options
            .shard
            .is_some_and(|shard| !shard.takes(id.as_bytes()))
        {
            return Box::new(std::iter::empty());
        }
        return Box::new(std::iter::once(single(id, input, &shape, options)));
    }
    let container = Container {
        id: id.to_owned(),
        fields: Fields::new(options),
        max_bytes: options.max_bytes,
        encoding: if utf16.is_some() {
            None
        } else {
            encoding::hint(&head)
        },
        passthrough: options.passthrough,
        fuel,
        shard: options.shard,
    };
    // Records are split as UTF-8; of other encodings only UTF-16 hides the line ends and quotes. A byte order mark is dropped on the way.
    let input: Box<dyn BufRead + Send> = match utf16 {
        Some(encoding) => Box::new(BufReader::new(
            DecodeReaderBytesBuilder::new()
                .encoding(Some(encoding))
                .bom_override(true)
                .build(input),
        )),
        None => {
            let mut input = input;
            input.skip_mark();
            Box::new(BufReader::with_capacity(HEAD, input))
        }
    };
    match shape {
        Shape::Table(delimiter) => Box::new(table::Rows::new(input, container, delimiter)),
        Shape::Values => Box::new(json::Values::new(input, container)),
        _ => Box::new(json::Lines::new(input, container)),
    }
}

/// A file that is one article.
fn single(id: &str, input: Replay, shape: &Shape, options: &ReadOptions) -> Raw {
    let mut bytes = Vec::new();
    let read = input
        .take(options.max_bytes.saturating_add(1))
        .read_to_end(&mut bytes);
    let content = match read {
        Err(error) => Err(unreadable(error)),
        Ok(_) if bytes.len() as u64 > options.max_bytes => {
            Err(too_large("the file", options.max_bytes))
        }
        Ok(_) => encoding::decode_owned(bytes).map(|text| match shape {
            Shape::Html => Content::Html(text),
            _ => Content::Text(text),
        }),
    };
    Raw {
        id: id.to_owned(),
        title: None,
        date: None,
        claim: None,
        content,
        fields: None,
    }
}

fn shape(id: &str, head: &str, options: &ReadOptions) -> Shape {
    let name = id.rsplit('/').next().unwrap_or(id).to_ascii_lowercase();
    let name = [".gz", ".zst"]
        .iter()
        .find_map(|packed| name.strip_suffix(packed))
        .unwrap_or(&name);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let table = || match extension {
        "tsv" | "tab" => Shape::Table(b'\t'),
        _ => Shape::Table(table::delimiter(head)),
    };
    match (options.format, extension) {
        (InputFormat::Text, _) => Shape::Text,
        (InputFormat::Html, _) => Shape::Html,
        (InputFormat::Csv, _) => table(),
        (InputFormat::Jsonl, _) => json_shape(head, extension == "json"),
        (InputFormat::Auto, "html" | "htm" | "xhtml" | "shtml") => Shape::Html,
        (InputFormat::Auto, "jsonl" | "ndjson" | "json") => json_shape(head, extension == "json"),
        (InputFormat::Auto, "csv" | "tsv" | "tab") => table(),
        // Markdown may have tags, and articles may quote them: only what begins as a page is one.
        (InputFormat::Auto, "txt" | "text" | "md" | "markdown") if !html::is_page(head) => {
            Shape::Text
        }
        (InputFormat::Auto, _) => {
            let start = head.trim_start();
            if json::begins_object(start) || json::begins_array(start) {
                json_shape(head, false)
            } else if html::looks_like(head) {
                Shape::Html
            } else if table::is_header(head, &Fields::new(options)) {
                table()
            } else {
                Shape::Text
            }
        }
    }
}

/// Lines of objects, or values that take several lines. `one` for a file that may be one object.
fn json_shape(head: &str, one: bool) -> Shape {
    let start = head.trim_start();
    let (line, rest) = start.split_once('\n').unwrap_or((start, ""));
    let line = line.trim_end();
    let only = one && rest.trim().is_empty() && head.len() < HEAD;
    let goes_on = line.ends_with(['{', '[', ',']);
    if json::begins_array(start) || (json::begins_object(start) && (only || goes_on)) {
        Shape::Values
    } else {
        Shape::Lines
    }
}

/// Counts what is read.
struct Counted {
    bytes: Box<dyn Read + Send>,
    position: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(buffer)?;
        self.position.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// A reader whose first bytes were looked at and are read again.
struct Replay {
    head: Cursor<Vec<u8>>,
    error: Option<io::Error>,
    rest: Box<dyn Read + Send>,
}

impl Replay {
    /// Looks at the first bytes: at most [`HEAD`], and no more than a line when that line begins a JSON object, so that whoever feeds a pipe
    /// line by line is answered line by line.
    fn new(mut rest: Box<dyn Read + Send>) -> (Vec<u8>, Self) {
        let mut head = vec![0; HEAD];
        let (mut filled, mut error) = (0, None);
        while let Some(free) = head.get_mut(filled..).filter(|free| !free.is_empty()) {
            match rest.read(free) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(problem) if problem.kind() == io::ErrorKind::Interrupted => continue,
                Err(problem) => {
                    error = Some(problem);
                    break;
                }
            }
            let so_far = head.get(..filled).unwrap_or_default().trim_ascii_start();
            if so_far.starts_with(b"{\"") && memchr::memchr(b'\n', so_far).is_some() {
                break;
            }
        }
        head.truncate(filled);
        let replay = Self {
            head: Cursor::new(head.clone()),
            error,
            rest,
        };
        (head, replay)
    }

    fn skip_mark(&mut self) {
        if self.head.get_ref().starts_with(b"\xef\xbb\xbf") {
            self.head.set_position(3);
        }
    }
}

impl Read for Replay {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.head.read(buffer)? {
            0 if !buffer.is_empty() => match self.error.take() {
                Some(error) => Err(error),
                None => self.rest.read(buffer),
            },
            read => Ok(read),
        }
    }
}

/// The error of a container that ends within a record.
pub(super) fn torn() -> ArticleError {
    malformed("the file ends within this record")
}
