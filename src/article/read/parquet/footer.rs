//! What a Parquet file says of itself, at its end: its columns, and where each row group's pages lie.
//!
//! It is read here and not by the `parquet` crate, which trusts the counts that it finds: a footer of a few bytes could ask it for gigabytes,
//! or lead it into a recursion without end.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use parquet::basic::{Repetition, Type as Physical};
use parquet::schema::types::{ColumnDescPtr, ColumnDescriptor, ColumnPath, Type};

use super::cells::Kind;
use super::thrift::{Thrift, is_true};
use super::{damaged, malformed, too_large, unreadable};
use crate::article::read::fields::MAX_FIELDS;
use crate::error::ArticleError;

/// The first and the last bytes of a Parquet file.
pub(super) const MAGIC: &[u8] = b"PAR1";
/// Most bytes of a footer; ten thousand row groups of twenty columns have about as many.
const MOST: u64 = 32 << 20;
/// Most row groups, and most bytes of all columns' names: what is made of either takes ten times the memory that it has in a footer.
const GROUPS: usize = 1 << 17;
const NAMES: usize = 4 << 20;

/// A file's columns and row groups.
pub(super) struct Footer {
    /// The names of all that can be read: those of the top level with one value a row.
    pub(super) names: Vec<String>,
    /// Those that are wanted.
    pub(super) columns: Vec<Column>,
    pub(super) groups: Vec<Group>,
}

/// A column.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    /// The name as it begins a field of a JSON object.
    pub(super) key: String,
    pub(super) kind: Kind,
    pub(super) descriptor: ColumnDescPtr,
    /// Its number among all columns that hold values.
    leaf: usize,
}

/// A row group.
pub(super) struct Group {
    pub(super) rows: u64,
    /// In the order of [`Footer::columns`].
    pub(super) chunks: Vec<Chunk>,
}

/// Where a column's pages of a row group lie, one after the other.
#[derive(Debug, Clone, Default)]
pub(super) struct Chunk {
    pub(super) start: u64,
    pub(super) length: u64,
    pub(super) codec: i64,
}

impl Footer {
    /// Reads the footer of `file`, and of it the columns that are `wanted`.
    pub(super) fn read(
        file: &File,
        wanted: impl Fn(&Column) -> bool,
    ) -> Result<Self, ArticleError> {
        let bytes = bytes(file)?;
        let size = file.metadata().map_err(unreadable)?.len();
        let mut thrift = Thrift::new(&bytes);
        let (mut columns, mut leaves, mut groups, mut encrypted) = (None, 0, None, false);
        let mut names = Vec::new();
        thrift
            .fields(|thrift, number, _| {
                match number {
                    // One: the row groups are read as it says.
                    2 if columns.is_none() => {
                        let mut all;
                        (all, leaves) = schema(thrift)?;
                        names = all.iter().map(|column| column.name.clone()).collect();
                        all.retain(&wanted);
                        columns = Some(all);
                    }
                    4 => {
                        let count = thrift.structs().filter(|count| *count <= GROUPS)?;
                        let columns = columns.as_deref()?;
                        let read = |_| group(thrift, columns, leaves, &mut encrypted);
                        groups = Some((0..count).map(read).collect::<Option<Vec<_>>>()?);
                    }
                    8 => {
                        encrypted = true;
                        return Some(false);
                    }
                    _ => return Some(false),
                }
                Some(true)
            })
            .ok_or_else(|| damaged("its footer"))?;
        if encrypted {
            return Err(malformed("the file is encrypted"));
        }
        let (Some(columns), Some(groups)) = (columns, groups) else {
            return Err(damaged("its footer"));
        };
        let inside = |chunk: &Chunk| {
            chunk
                .start
                .checked_add(chunk.length)
                .is_some_and(|end| end <= size)
        };
        match groups.iter().flat_map(|group| &group.chunks).all(inside) {
            true => Ok(Self {
                names,
                columns,
                groups,
            }),
            false => Err(malformed(
                "the file is cut off or damaged: its footer names pages beyond its end",
            )),
        }
    }
}

/// The bytes of the footer, which end with their length and the magic.
fn bytes(mut file: &File) -> Result<Vec<u8>, ArticleError> {
    let mut head = Vec::new();
    file.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    file.take(4).read_to_end(&mut head).map_err(unreadable)?;
    if head != MAGIC {
        return Err(malformed(
            "this is no Parquet file: it does not begin with PAR1",
        ));
    }
    let size = file.metadata().map_err(unreadable)?.len();
    let mut tail = [0; 8];
    if size >= 12 {
        file.seek(SeekFrom::Start(size - 8)).map_err(unreadable)?;
        file.read_exact(&mut tail).map_err(unreadable)?;
    }
    let [a, b, c, d, magic @ ..] = tail;
    if magic != MAGIC {
        return Err(malformed(
            "the Parquet file is cut off: it does not end with PAR1",
        ));
    }
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    if length > MOST {
        return Err(too_large("its footer", MOST));
    }
    let start = (size - 8)
        .checked_sub(length)
        .ok_or_else(|| damaged("its footer"))?;
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(start)).map_err(unreadable)?;
    file.take(length)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    Ok(bytes)
}

/// One entry of the list that spells out the tree of columns.
#[derive(Default)]
struct Element {
    physical: Option<i64>,
    length: i64,
    repetition: i64,
    name: String,
    children: i64,
    converted: Option<i64>,
    scale: i64,
    /// The number of the logical type, and what else it says: the unit of time or the width, and whether it is in UTC or signed.
    logical: Option<(i64, i64, bool)>,
}

/// The columns of the top level that hold one value a row, and how many there are of all.
fn schema(thrift: &mut Thrift<'_>) -> Option<(Vec<Column>, usize)> {
    let count = thrift.structs().filter(|count| *count <= MAX_FIELDS)?;
    let root = element(thrift)?;
    // The children still to come of each group that is open.
    let mut open = vec![root.children];
    let (mut columns, mut leaves, mut named) = (Vec::new(), 0, 0);
    for _ in 1..count {
        while open.last() == Some(&0) {
            open.pop();
        }
        *open.last_mut()? -= 1;
        let element = element(thrift)?;
        named += element.name.len();
        if named > NAMES {
            return None;
        }
        if element.physical.is_none() || element.children > 0 {
            open.push(element.children);
            continue;
        }
        if open.len() == 1
            && let Some(column) = element.column(leaves)
        {
            columns.push(column);
        }
        leaves += 1;
    }
    open.iter()
        .all(|left| *left == 0)
        .then_some((columns, leaves))
}

fn element(thrift: &mut Thrift<'_>) -> Option<Element> {
    let mut found = Element::default();
    thrift.fields(|thrift, number, _| {
        match number {
            1 => found.physical = Some(thrift.int()?),
            2 => found.length = thrift.int()?,
            3 => found.repetition = thrift.int()?,
            4 => found.name = String::from_utf8_lossy(thrift.binary()?).into_owned(),
            5 => found.children = thrift.int().filter(|children| *children >= 0)?,
            6 => found.converted = Some(thrift.int()?),
            7 => found.scale = thrift.int()?,
            10 => found.logical = Some(logical(thrift)?),
            _ => return Some(false),
        }
        Some(true)
    })?;
    Some(found)
}

/// A union of one field, which is a struct: of a time `{1: in UTC, 2: union of units}`, of a whole number `{1: width, 2: signed}`.
fn logical(thrift: &mut Thrift<'_>) -> Option<(i64, i64, bool)> {
    let mut found = None;
    thrift.fields(|thrift, number, _| {
        let (mut unit, mut flag) = (0, false);
        thrift.fields(|thrift, inner, kind| match (number, inner) {
            (8, 1) | (10, 2) => {
                flag = is_true(kind);
                Some(false)
            }
            (8, 2) => {
                thrift.fields(|_, number, _| {
                    unit = number;
                    Some(false)
                })?;
                Some(true)
            }
            _ => Some(false),
        })?;
        found = Some((number, unit, flag));
        Some(true)
    })?;
    found
}

impl Element {
    /// The column, if its values can be told as text.
    fn column(self, leaf: usize) -> Option<Column> {
        let physical = match self.physical? {
            0 => Physical::BOOLEAN,
            1 => Physical::INT32,
            2 => Physical::INT64,
            3 => Physical::INT96,
            4 => Physical::FLOAT,
            5 => Physical::DOUBLE,
            6 => Physical::BYTE_ARRAY,
            7 => Physical::FIXED_LEN_BYTE_ARRAY,
            _ => return None,
        };
        let (repetition, most) = match self.repetition {
            0 => (Repetition::REQUIRED, 0),
            1 => (Repetition::OPTIONAL, 1),
            _ => return None,
        };
        let kind = Kind::of(physical, self.logical, self.converted, self.scale)?;
        let length = i32::try_from(self.length).ok()?;
        if physical == Physical::FIXED_LEN_BYTE_ARRAY && !(1..=16).contains(&length) {
            return None;
        }
        let primitive = Type::primitive_type_builder(&self.name, physical)
            .with_repetition(repetition)
            .with_length(length)
            .build()
            .ok()?;
        let path = ColumnPath::from(self.name.as_str());
        let descriptor = ColumnDescriptor::new(Arc::new(primitive), most, 0, path);
        Some(Column {
            key: format!("{}:", serde_json::to_string(&self.name).ok()?),
            name: self.name,
            kind,
            descriptor: Arc::new(descriptor),
            leaf,
        })
    }
}

fn group(
    thrift: &mut Thrift<'_>,
    columns: &[Column],
    leaves: usize,
    encrypted: &mut bool,
) -> Option<Group> {
    let (mut rows, mut chunks) = (None, Vec::new());
    thrift.fields(|thrift, number, _| {
        match number {
            1 => {
                if thrift.structs()? != leaves {
                    return None;
                }
                chunks.reserve_exact(columns.len());
                // Both are in the order of the schema.
                let mut wanted = columns.iter().peekable();
                for leaf in 0..leaves {
                    let chunk = chunk(thrift, encrypted)?;
                    if wanted.next_if(|column| column.leaf == leaf).is_some() {
                        chunks.push(chunk);
                    }
                }
            }
            3 => rows = u64::try_from(thrift.int()?).ok(),
            _ => return Some(false),
        }
        Some(true)
    })?;
    let rows = rows?;
    (chunks.len() == columns.len()).then_some(Group { rows, chunks })
}

fn chunk(thrift: &mut Thrift<'_>, encrypted: &mut bool) -> Option<Chunk> {
    let mut chunk = None;
    thrift.fields(|thrift, number, _| match number {
        // Its pages are in another file.
        1 => None,
        3 => {
            let (mut codec, mut length, mut data, mut dictionary) = (None, None, None, None);
            thrift.fields(|thrift, number, _| {
                let value = match number {
                    4 => &mut codec,
                    7 => &mut length,
                    9 => &mut data,
                    11 => &mut dictionary,
                    _ => return Some(false),
                };
                *value = Some(thrift.int()?);
                Some(true)
            })?;
            let data = data?;
            // Some writers put a zero for none.
            let start = dictionary
                .filter(|at| (1..data).contains(at))
                .unwrap_or(data);
            chunk = Some(Chunk {
                start: u64::try_from(start).ok()?,
                length: u64::try_from(length?).ok()?,
                codec: codec?,
            });
            Some(true)
        }
        8 => {
            *encrypted = true;
            Some(false)
        }
        _ => Some(false),
    })?;
    match *encrypted {
        true => Some(chunk.unwrap_or_default()),
        false => chunk,
    }
}
