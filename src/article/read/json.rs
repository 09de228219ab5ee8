//! JSON Lines, and JSON values that are not one a line.

use std::io::{self, BufRead};

use serde_json::error::Category;
use serde_json::value::RawValue;

use super::open::{Container, torn};
use super::{failure, fields, malformed, too_large, unreadable};
use crate::article::{Raw, encoding};
use crate::error::ArticleError;

/// Bytes of a record's buffer that the next one inherits.
const KEPT: usize = 1 << 20;

/// Whether a text begins with a JSON object.
pub(super) fn begins_object(text: &str) -> bool {
    text.strip_prefix('{')
        .is_some_and(|rest| rest.trim_start().starts_with(['"', '}']))
}

/// Whether a text begins with a JSON array of objects, or an empty one.
pub(super) fn begins_array(text: &str) -> bool {
    text.strip_prefix('[')
        .is_some_and(|rest| rest.trim_start().starts_with(['{', ']']))
}

/// One object a line; blank lines are none.
pub(super) struct Lines {
    input: Box<dyn BufRead + Send>,
    container: Container,
    line: u64,
    buffer: Vec<u8>,
    done: bool,
}

impl Lines {
    pub(super) fn new(input: Box<dyn BufRead + Send>, container: Container) -> Self {
        Self {
            input,
            container,
            line: 0,
            buffer: Vec::new(),
            done: false,
        }
    }

    /// The next line's article; none for the end, a blank line, and one of another shard.
    fn next_line(&mut self) -> Option<Raw> {
        self.line += 1;
        match self.read_line() {
            Ok(None) => {
                self.done = true;
                None
            }
            Ok(Some(false)) => {
                let error = too_large("the line", self.container.max_bytes);
                self.container.failed(self.line, error)
            }
            Ok(Some(true)) if self.buffer.trim_ascii().is_empty() => None,
            Ok(Some(true)) if !self.container.takes(&self.buffer) => None,
            Ok(Some(true)) => {
                let where_ = format!("line {}", self.line);
                Some(record(&self.buffer, &self.container, self.place(), &where_))
            }
            Err(error) => {
                self.done = true;
                self.container.broken(self.place(), unreadable(error))
            }
        }
    }

    /// Where the line last read is.
    fn place(&self) -> String {
        self.container.place(self.line)
    }

    /// Reads a line into the buffer; past `max_bytes` it is skipped unbuffered. `None` at the end, else whether the line was small enough.
    fn read_line(&mut self) -> io::Result<Option<bool>> {
        self.buffer.clear();
        self.buffer.shrink_to(KEPT);
        let (mut any, mut fits) = (false, true);
        loop {
            let available = match self.input.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if available.is_empty() {
                return Ok(any.then_some(fits));
            }
            any = true;
            let end = memchr::memchr(b'\n', available);
            let part = available
                .get(..end.unwrap_or(available.len()))
                .unwrap_or_default();
            fits &= (self.buffer.len() + part.len()) as u64 <= self.container.max_bytes;
            if fits {
                self.buffer.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_some() {
                return Ok(Some(fits));
            }
        }
    }
}

impl Iterator for Lines {
    type Item = Option<Raw>;

    fn next(&mut self) -> Option<Self::Item> {
        (!self.done).then(|| self.next_line())
    }
}

/// Objects in an array, or one after another, on however many lines. Their places are counted, from 1.
pub(super) struct Values {
    input: Box<dyn BufRead + Send>,
    container: Container,
    count: u64,
    in_array: bool,
    after: bool,
    /// An error met while looking for the value after the first.
    error: Option<io::Error>,
    buffer: Vec<u8>,
    done: bool,
}

enum Value {
    End,
    Whole,
    TooLarge,
    Torn,
}

impl Values {
    pub(super) fn new(input: Box<dyn BufRead + Send>, container: Container) -> Self {
        Self {
            input,
            container,
            count: 0,
            in_array: false,
            after: false,
            error: None,
            buffer: Vec::new(),
            done: false,
        }
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.input.fill_buf() {
                Ok(available) => return Ok(available.first().copied()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Goes to the first byte of the next value. Whether there is one.
    fn find_value(&mut self) -> io::Result<bool> {
        while let Some(byte) = self.peek()? {
            match byte {
                b'[' if !self.in_array && !self.after => self.in_array = true,
                b']' if self.in_array => {
                    self.in_array = false;
                    self.after = true;
                }
                b',' | b' ' | b'\t' | b'\n' | b'\r' => {}
                _ => return Ok(true),
            }
            self.input.consume(1);
        }
        Ok(false)
    }

    /// Reads the next value into the buffer: to the bracket that closes it, or for what is no object or array, to the next comma or line.
    fn read_value(&mut self) -> io::Result<Value> {
        self.buffer.clear();
        self.buffer.shrink_to(KEPT);
        if !self.find_value()? {
            return Ok(if self.in_array {
                Value::Torn
            } else {
                Value::End
            });
        }
        let (mut depth, mut string, mut escaped, mut fits) = (0_usize, false, false, true);
        loop {
            let available = match self.input.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if available.is_empty() {
                return Ok(if depth == 0 && !string {
                    Value::Whole
                } else {
                    Value::Torn
                });
            }
            let (mut used, mut whole) = (0, false);
            for &byte in available {
                let bare = depth == 0 && !string;
                let ends_before =
                    bare && (byte == b',' || byte == b'\n' || (byte == b']' && self.in_array));
                if ends_before && !(self.buffer.is_empty() && used == 0) {
                    whole = true;
                    break;
                }
                used += 1;
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' if string => escaped = true,
                    b'"' => string = !string,
                    b'{' | b'[' if !string => depth += 1,
                    b'}' | b']' if !string => {
                        depth = depth.saturating_sub(1);
                        whole = depth == 0;
                    }
                    _ => {}
                }
                if whole {
                    break;
                }
            }
            let part = available.get(..used).unwrap_or_default();
            fits &= (self.buffer.len() + part.len()) as u64 <= self.container.max_bytes;
            if fits {
                self.buffer.extend_from_slice(part);
            }
            self.input.consume(used);
            if whole {
                return Ok(if fits { Value::Whole } else { Value::TooLarge });
            }
        }
    }
}

impl Iterator for Values {
    type Item = Option<Raw>;

    fn next(&mut self) -> Option<Self::Item> {
        (!self.done).then(|| self.next_value())
    }
}

impl Values {
    /// The next value's article; none for the end, and for one of another shard.
    fn next_value(&mut self) -> Option<Raw> {
        let value = match self.error.take() {
            Some(error) => Err(error),
            None => self.read_value(),
        };
        self.count += 1;
        let mut place = self.container.place(self.count);
        match value {
            Ok(Value::End) => {
                self.done = true;
                None
            }
            Ok(Value::Whole) => {
                // A file that is one object is one article, named as the file.
                if self.count == 1 && !self.in_array {
                    match self.find_value() {
                        Ok(true) => {}
                        Ok(false) => place.clone_from(&self.container.id),
                        Err(error) => self.error = Some(error),
                    }
                }
                let where_ = format!("record {}", self.count);
                self.container
                    .takes(&self.buffer)
                    .then(|| record(&self.buffer, &self.container, place, &where_))
            }
            Ok(Value::TooLarge) => {
                let error = too_large("the record", self.container.max_bytes);
                self.container.failed(self.count, error)
            }
            Ok(Value::Torn) => {
                self.done = true;
                self.container.broken(place, torn())
            }
            Err(error) => {
                self.done = true;
                self.container.broken(place, unreadable(error))
            }
        }
    }
}

fn record(bytes: &[u8], container: &Container, place: String, where_: &str) -> Raw {
    let decoded;
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => match encoding::decode(bytes, container.encoding) {
            Ok(text) => {
                decoded = text;
                &decoded
            }
            Err(error) => return failure(place, error),
        },
    };
    // Files that were put together keep their byte order marks in the middle.
    let text = text.trim_start_matches('\u{feff}');
    match parse(text, where_) {
        Ok(record) => container
            .fields
            .article(record, place, container.passthrough),
        Err(error) => failure(place, error),
    }
}

fn parse<'a>(text: &'a str, where_: &str) -> Result<fields::Record<'a>, ArticleError> {
    let error = match fields::of_json(text) {
        Ok(record) => return Ok(record),
        Err(error) => error,
    };
    let begins_object = text.trim_start().starts_with('{');
    if !begins_object && serde_json::from_str::<&RawValue>(text).is_ok() {
        return Err(malformed(format!(
            "{where_} is {}, not an object",
            fields::kind(text)
        )));
    }
    // The parser counts lines from the record's own start.
    let reason = error.to_string();
    let reason = reason.split(" at line ").next().unwrap_or_default();
    Err(malformed(match error.classify() {
        Category::Data if begins_object => format!("{where_} has {reason}"),
        _ => format!("{where_} is not JSON: {reason}, column {}", error.column()),
    }))
}
