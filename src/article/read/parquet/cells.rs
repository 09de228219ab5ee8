//! A column's values, one row at a time, each as the JSON value that it stands for.

use std::fmt::Write as _;

use parquet::basic::Type as Physical;
use parquet::column::reader::{ColumnReader, get_column_reader};
use parquet::data_type::{ByteArray, FixedLenByteArray, Int96};
use parquet::errors::Result as Decoded;

use super::footer::Column;
use super::pages::Pages;
use crate::article::encoding;
use crate::error::ArticleError;

const DAY: i128 = 86_400_000_000_000;

/// What a column's values mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Int,
    Unsigned,
    Float,
    /// A number with so many decimals.
    Decimal(u32),
    /// Days since 1970.
    Date,
    /// Since 1970, in units of so many nanoseconds, perhaps in UTC.
    Time(i128, bool),
    /// A Julian day and the nanoseconds of it, as Impala and old Spark wrote times.
    Julian,
    Text,
    /// What no type says is text, but may be.
    Bytes,
    Uuid,
}

impl Kind {
    /// Of what the schema says: the type as stored, the logical type (its number, unit or width, and flag), and what stood in its place in
    /// old files. `None` for what no article has for a field.
    pub(super) fn of(
        physical: Physical,
        logical: Option<(i64, i64, bool)>,
        converted: Option<i64>,
        scale: i64,
    ) -> Option<Self> {
        let decimal = || {
            u32::try_from(scale)
                .ok()
                .filter(|scale| *scale <= 38)
                .map(Self::Decimal)
        };
        let unit = |unit| match unit {
            1 => Some(1_000_000),
            2 => Some(1_000),
            3 => Some(1),
            _ => None,
        };
        Some(match (physical, logical, converted) {
            (Physical::BOOLEAN, ..) => Self::Bool,
            (Physical::FLOAT | Physical::DOUBLE, ..) => Self::Float,
            (Physical::INT96, ..) => Self::Julian,
            (Physical::FIXED_LEN_BYTE_ARRAY, Some((14, ..)), _) => Self::Uuid,
            (_, Some((5, ..)), _) | (_, None, Some(5)) => decimal()?,
            (Physical::FIXED_LEN_BYTE_ARRAY, ..) => return None,
            (Physical::BYTE_ARRAY, Some((1 | 4 | 12, ..)), _)
            | (Physical::BYTE_ARRAY, None, Some(0 | 4 | 19)) => Self::Text,
            (Physical::BYTE_ARRAY, ..) => Self::Bytes,
            (Physical::INT32, Some((6, ..)), _) | (Physical::INT32, None, Some(6)) => Self::Date,
            (Physical::INT64, Some((8, size, utc)), _) => Self::Time(unit(size)?, utc),
            (Physical::INT64, None, Some(9)) => Self::Time(1_000_000, true),
            (Physical::INT64, None, Some(10)) => Self::Time(1_000, true),
            (_, Some((10, _, false)), _) | (_, None, Some(11..=14)) => Self::Unsigned,
            _ => Self::Int,
        })
    }
}

/// The values of a column in a row group.
pub(super) struct Cells {
    kind: Kind,
    optional: bool,
    /// Most bytes of a value.
    most: u64,
    reader: ColumnReader,
}

/// What reading a value gave beside its JSON.
pub(super) struct Read {
    /// Bytes that were looked at, if it is a text.
    pub(super) length: u64,
    /// Why it is not what its column says.
    pub(super) wrong: Option<ArticleError>,
}

/// A value as it was decoded.
enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Julian(Int96),
    Bytes(ByteArray),
}

/// The next value of a column; `None` at its end.
macro_rules! next {
    ($reader:expr, $optional:expr, $value:expr) => {{
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        let (rows, ..) = $reader.read_records(1, Some(&mut levels), None, &mut values)?;
        match values.pop() {
            _ if rows == 0 => None,
            Some(value) => Some($value(value)),
            None if $optional => Some(Value::Null),
            None => None,
        }
    }};
}

impl Cells {
    pub(super) fn new(column: &Column, pages: Pages, most: u64) -> Self {
        Self {
            most,
            kind: column.kind,
            optional: column.descriptor.max_def_level() > 0,
            reader: get_column_reader(column.descriptor.clone(), Box::new(pages)),
        }
    }

    /// Reads the next row's value, as JSON, to the end of `json`. `None` where the column has no more rows.
    pub(super) fn next(&mut self, json: &mut String) -> Decoded<Option<Read>> {
        let Some(value) = self.value()? else {
            return Ok(None);
        };
        let length = match &value {
            Value::Bytes(bytes) => bytes.len() as u64,
            _ => 0,
        };
        let wrong = self.show(value, json).err();
        Ok(Some(Read { length, wrong }))
    }

    fn value(&mut self) -> Decoded<Option<Value>> {
        let optional = self.optional;
        Ok(match &mut self.reader {
            ColumnReader::BoolColumnReader(reader) => next!(reader, optional, Value::Bool),
            ColumnReader::Int32ColumnReader(reader) if self.kind == Kind::Unsigned => {
                next!(reader, optional, |value: i32| Value::Int(i64::from(
                    value as u32
                )))
            }
            ColumnReader::Int32ColumnReader(reader) => {
                next!(reader, optional, |value| Value::Int(i64::from(value)))
            }
            ColumnReader::Int64ColumnReader(reader) => next!(reader, optional, Value::Int),
            ColumnReader::Int96ColumnReader(reader) => next!(reader, optional, Value::Julian),
            ColumnReader::FloatColumnReader(reader) => {
                // Of a float its own digits, not those of the double nearest to it.
                next!(reader, optional, |value: f32| Value::Float(
                    value.to_string().parse().unwrap_or(f64::from(value))
                ))
            }
            ColumnReader::DoubleColumnReader(reader) => next!(reader, optional, Value::Float),
            ColumnReader::ByteArrayColumnReader(reader) => next!(reader, optional, Value::Bytes),
            ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                next!(reader, optional, |value: FixedLenByteArray| Value::Bytes(
                    value.into()
                ))
            }
        })
    }

    fn show(&self, value: Value, json: &mut String) -> std::result::Result<(), ArticleError> {
        let text = match (value, self.kind) {
            (Value::Null, _) => return plain(json, "null"),
            (Value::Bool(true), _) => return plain(json, "true"),
            (Value::Bool(false), _) => return plain(json, "false"),
            (Value::Int(days), Kind::Date) => time(i128::from(days) * DAY, None),
            (Value::Int(count), Kind::Time(unit, utc)) => time(i128::from(count) * unit, Some(utc)),
            (Value::Int(value), Kind::Decimal(scale)) => {
                return plain(json, &decimal(i128::from(value), scale));
            }
            (Value::Int(value), Kind::Unsigned) => return plain(json, &(value as u64).to_string()),
            (Value::Int(value), _) => return plain(json, &value.to_string()),
            (Value::Float(value), _) => {
                let number = serde_json::Number::from_f64(value);
                return plain(json, &number.map_or("null".to_owned(), |n| n.to_string()));
            }
            (Value::Julian(value), _) => {
                let [low, high, days] = value.data() else {
                    return plain(json, "null");
                };
                let nanos = i128::from(*high) << 32 | i128::from(*low);
                time((i128::from(*days) - 2_440_588) * DAY + nanos, Some(false))
            }
            (Value::Bytes(bytes), Kind::Decimal(scale)) => {
                // One of more than 38 digits is told by nobody, and is no zero either.
                let value = whole(bytes.data()).map(|value| decimal(value, scale));
                return plain(json, value.as_deref().unwrap_or("null"));
            }
            (Value::Bytes(bytes), Kind::Uuid) if bytes.len() == 16 => uuid(bytes.data()),
            (Value::Bytes(_), Kind::Uuid) => return plain(json, "null"),
            (Value::Bytes(bytes), _) if quoted_length(bytes.data()) > self.most => {
                return Err(super::too_large("a value of the row", self.most));
            }
            (Value::Bytes(bytes), _) => match std::str::from_utf8(bytes.data()) {
                Ok(text) if !text.contains('\0') => return quoted(json, text),
                _ => encoding::decode(bytes.data(), None)?,
            },
        };
        quoted(json, &text)
    }
}

fn plain(json: &mut String, value: &str) -> std::result::Result<(), ArticleError> {
    json.push_str(value);
    Ok(())
}

fn quoted(json: &mut String, text: &str) -> std::result::Result<(), ArticleError> {
    match serde_json::to_string(text) {
        Ok(quoted) => plain(json, &quoted),
        Err(error) => Err(super::malformed(error.to_string())),
    }
}

/// Bytes of a text as a JSON string, which may be six times as many.
fn quoted_length(text: &[u8]) -> u64 {
    let length = |byte: &u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 8 | 12 => 2,
        0..=31 => 6,
        _ => 1,
    };
    text.iter().map(length).sum()
}

/// `2026-11-20` of whole days; `2026-11-20T08:30:00.25`, with a `Z` in UTC, of times.
fn time(nanos: i128, time: Option<bool>) -> String {
    // Days of a calendar whose years begin in March, so that the leap day comes last.
    let days = nanos.div_euclid(DAY) + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let of_era = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * of_era + of_era / 4 - of_era / 100);
    let march = (5 * of_year + 2) / 153;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = era * 400 + of_era + i128::from(month <= 2);
    let (sign, year) = (if year < 0 { "-" } else { "" }, year.abs());
    let day = of_year - (153 * march + 2) / 5 + 1;
    let mut text = format!("{sign}{year:04}-{month:02}-{day:02}");
    let Some(utc) = time else { return text };
    let (seconds, part) = (
        nanos.rem_euclid(DAY) / 1_000_000_000,
        nanos.rem_euclid(1_000_000_000),
    );
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    // Writing to a string cannot fail.
    write!(text, "T{hour:02}:{minute:02}:{second:02}").ok();
    if part > 0 {
        write!(text, ".{part:09}").ok();
        text.truncate(text.trim_end_matches('0').len());
    }
    if utc {
        text.push('Z');
    }
    text
}

fn decimal(value: i128, scale: u32) -> String {
    let (sign, digits) = (if value < 0 { "-" } else { "" }, value.unsigned_abs());
    match 10_u128.checked_pow(scale).filter(|one| *one > 1) {
        None => format!("{sign}{digits}"),
        Some(one) => format!(
            "{sign}{}.{:0width$}",
            digits / one,
            digits % one,
            width = scale as usize
        ),
    }
}

/// A number of up to 16 bytes, the highest first.
fn whole(bytes: &[u8]) -> Option<i128> {
    let first = *bytes.first().filter(|_| bytes.len() <= 16)?;
    let sign = if first >= 0x80 { -1 } else { 0 };
    Some(
        bytes
            .iter()
            .fold(sign, |value, byte| value << 8 | i128::from(*byte)),
    )
}

fn uuid(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        write!(text, "{byte:02x}").ok();
    }
    text
}
