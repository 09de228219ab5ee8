//! Opening one file: decompression, the sniff of its format, and files that are one article.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use encoding_rs_io::DecodeReaderBytesBuilder;
use flate2::bufread::MultiGzDecoder;

use super::fuel::Fuel;
use super::shard::Elsewhere;
use super::{
    Fields, InputFormat, ReadOptions, Shard, failure, json, malformed, parquet, table, too_large,
    unreadable,
};
use crate::article::{Content, Raw, encoding, html};
use crate::error::ArticleError;

/// The articles of one file.
pub(super) type Articles = Box<dyn Iterator<Item = Raw> + Send>;

/// How much of a file the sniff sees.
const HEAD: usize = 64 * 1024;
/// A byte order mark of UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";
const GZIP: &[u8] = b"\x1f\x8b";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";

/// What readers of records need beside the bytes.
pub(super) struct Container {
    /// The file's path as it stands in ids.
    pub(super) id: String,
    /// Its path below the source that it was found in, by which the shards divide what has no bytes.
    key: String,
    pub(super) fields: Fields,
    pub(super) max_bytes: u64,
    /// The encoding that the file's start suggests, unless UTF-8.
    pub(super) encoding: Option<&'static str>,
    /// Whether records keep the fields that are not read.
    pub(super) passthrough: bool,
    pub(super) fuel: Fuel,
    shard: Option<(Shard, Elsewhere)>,
}

impl Container {
    /// Whether a record of these bytes is in this run's shard. It was found, in any case.
    pub(super) fn takes(&self, bytes: &[u8]) -> bool {
        self.fuel.refill();
        self.shard
            .as_ref()
            .is_none_or(|(shard, _)| shard.takes(bytes))
    }

    /// The error record of a place in the file, if it is in this run's shard.
    pub(super) fn failed(&self, number: u64, error: ArticleError) -> Option<Raw> {
        let key = format!("{}#{number}", self.key);
        self.takes(key.as_bytes())
            .then(|| failure(self.place(number), error))
    }

    /// The error record in the place of the rest of the file. In the other shards it is said all the same: this machine's copy of the file may
    /// be the only one that is damaged.
    pub(super) fn broken(&self, place: String, error: ArticleError) -> Option<Raw> {
        match &self.shard {
            Some((shard, elsewhere)) if !shard.takes(self.key.as_bytes()) => {
                elsewhere.add(place, error);
                None
            }
            _ => Some(Raw {
                ends_file: true,
                ..failure(place, error)
            }),
        }
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

/// A file, as it was found.
pub(super) struct Found<'a> {
    /// Its path as it stands in ids.
    pub(super) id: String,
    /// Its path below the source that it was found in: the same on every machine that has the source, wherever it lies there.
    pub(super) key: String,
    pub(super) options: &'a ReadOptions,
}

impl Found<'_> {
    /// The articles of the file at `path`.
    pub(super) fn open(self, path: &Path) -> Articles {
        if self.options.skip.holds(path) {
            return Box::new(std::iter::empty());
        }
        match File::open(path) {
            // A pipe gives what there is; of a file the sniff can wait for all it wants to see.
            Ok(mut file) => {
                let live = !file.metadata().is_ok_and(|m| m.is_file());
                if !live && self.is_parquet(&mut file) {
                    let container = self.container(None, Fuel::default());
                    return parquet::open(file, container, self.options.position.clone());
                }
                self.read(Box::new(file), live)
            }
            Err(error) => self.failed(unreadable(error)),
        }
    }

    /// Whether a file is to be read as Parquet: it is said, or its name says so, or its first bytes do.
    fn is_parquet(&self, file: &mut File) -> bool {
        match self.options.format {
            InputFormat::Parquet => true,
            InputFormat::Auto if self.id.to_ascii_lowercase().ends_with(".parquet") => true,
            InputFormat::Auto => {
                let mut head = Vec::new();
                let read = file.take(512).read_to_end(&mut head);
                file.rewind().is_ok() && read.is_ok() && encoding::is_parquet(&head)
            }
            _ => false,
        }
    }

    /// One error in the place of the file.
    pub(super) fn failed(self, error: ArticleError) -> Articles {
        Box::new(
            self.container(None, Fuel::default())
                .broken(self.id, error)
                .into_iter(),
        )
    }

    fn container(&self, encoding: Option<&'static str>, fuel: Fuel) -> Container {
        let options = self.options;
        Container {
            id: self.id.clone(),
            key: self.key.clone(),
            fields: Fields::new(options),
            max_bytes: options.max_bytes,
            encoding,
            passthrough: options.passthrough,
            fuel,
            shard: options
                .shard
                .map(|shard| (shard, options.elsewhere.clone())),
        }
    }

    /// The articles of the file's bytes; `live` when they come as somebody writes them.
    pub(super) fn read(self, bytes: Box<dyn Read + Send>, live: bool) -> Articles {
        let options = self.options;
        let counted = Counted {
            bytes,
            position: options.position.clone(),
        };
        let line_by_line = match options.format {
            InputFormat::Jsonl => Some(LineByLine::Any),
            InputFormat::Auto => Some(LineByLine::Objects),
            _ => None,
        };
        let line_by_line = line_by_line.filter(|_| live);
        let (packed, input) = Replay::new(Box::new(counted), line_by_line);
        let fuel = Fuel::default();
        let most = options.max_bytes.saturating_mul(4);
        let input: Box<dyn Read + Send> = if packed.starts_with(GZIP) {
            fuel.meter(Box::new(MultiGzDecoder::new(BufReader::new(input))), most)
        } else if packed.starts_with(ZSTD) {
            match zstd::stream::read::Decoder::with_buffer(BufReader::new(input)) {
                Ok(decoder) => fuel.meter(Box::new(decoder), most),
                Err(error) => return self.failed(unreadable(error)),
            }
        } else {
            Box::new(input)
        };
        let (head, input) = Replay::new(input, line_by_line);
        let is_parquet = match options.format {
            InputFormat::Parquet => true,
            InputFormat::Auto => encoding::is_parquet(&head),
            _ => false,
        };
        if is_parquet {
            return self.failed(malformed(
                "Parquet is read from a file that is named, not from a pipe, standard input or a .gz or .zst: it has to be read from its end",
            ));
        }
        if let Err(error) = encoding::refuse_signature(&head) {
            return self.failed(error);
        }
        let utf16 = encoding::utf16(&head);
        let text = match utf16 {
            Some(encoding) => encoding.decode(&head).0,
            None => String::from_utf8_lossy(&head),
        };
        let shape = shape(&self.id, text.trim_start_matches('\u{feff}'), options);
        if let Shape::Text | Shape::Html = shape {
            let takes = |shard: Shard| shard.takes(self.key.as_bytes());
            let takes = options.shard.is_none_or(takes);
            return Box::new(
                takes
                    .then(|| single(&self.id, input, &shape, options))
                    .into_iter(),
            );
        }
        // How much a pipe has given by now is chance: what it suggests must not depend on it.
        let sample = match live {
            true => head.split_inclusive(|&byte| byte == b'\n').next(),
            false => Some(&head[..]),
        };
        let encoding = sample.filter(|_| utf16.is_none()).and_then(encoding::hint);
        let container = self.container(encoding, fuel);
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
        // What is passed over is no article.
        match shape {
            Shape::Table(delimiter) => {
                Box::new(table::Rows::new(input, container, delimiter).flatten())
            }
            Shape::Values => Box::new(json::Values::new(input, container).flatten()),
            _ => Box::new(json::Lines::new(input, container).flatten()),
        }
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
        file: 0,
        ends_file: false,
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
        (InputFormat::Text | InputFormat::Parquet, _) => Shape::Text,
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

/// When the sniff is content with the first line, so that whoever feeds a pipe line by line is answered line by line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LineByLine {
    Any,
    /// When it begins a JSON object.
    Objects,
}

impl LineByLine {
    fn enough(self, so_far: &[u8]) -> bool {
        let line = so_far
            .strip_prefix(MARK)
            .unwrap_or(so_far)
            .trim_ascii_start();
        let object = line.strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
        let begins = match self {
            Self::Any => Some(line),
            Self::Objects => object.filter(|inner| inner.starts_with(b"\"")),
        };
        begins.is_some_and(|line| memchr::memchr(b'\n', line).is_some())
    }
}

impl Replay {
    /// Looks at the first bytes: at most [`HEAD`], and no more than have come when the first line is there and enough.
    fn new(mut rest: Box<dyn Read + Send>, line_by_line: Option<LineByLine>) -> (Vec<u8>, Self) {
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
            let so_far = head.get(..filled).unwrap_or_default();
            if line_by_line.is_some_and(|lines| lines.enough(so_far)) {
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
        if self.head.get_ref().starts_with(MARK) {
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
