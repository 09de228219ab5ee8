//! Parquet, for tables: typed columns, the deciding sentences and the summary nested, compressed with zstd.
//!
//! Every file has the same columns, so that files can be read together: where a record has nothing to say there is a null. Columns of one
//! value are named as those of CSV ([`super::Csv`]). A row group is held until it is full, and no more than one.

use std::error::Error as _;
use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::TypePtr;

use super::{Answer, Outcome, Record, Sink, SummaryRecord};

/// Records of a row group at most, and bytes of their texts, about.
const ROWS: usize = 16_384;
const BYTES: usize = 16 << 20;

/// The columns. Offsets are code points of the text that `tidings extract` prints.
const SCHEMA: &str = "
message record {
    REQUIRED INT32 schema;
    REQUIRED BINARY id (STRING);
    OPTIONAL BINARY title (STRING);
    OPTIONAL BINARY date (STRING);
    OPTIONAL BINARY language (STRING);
    OPTIONAL BINARY claim (STRING);
    OPTIONAL BINARY stance (STRING);
    OPTIONAL BINARY label (STRING);
    OPTIONAL DOUBLE score_supports;
    OPTIONAL DOUBLE score_refutes;
    OPTIONAL DOUBLE score_discusses;
    OPTIONAL DOUBLE score_unrelated;
    OPTIONAL GROUP evidence (LIST) {
        REPEATED GROUP list {
            REQUIRED GROUP element {
                REQUIRED BINARY text (STRING);
                REQUIRED INT64 start;
                REQUIRED INT64 end;
                REQUIRED DOUBLE score;
            }
        }
    }
    OPTIONAL GROUP summary {
        REQUIRED BINARY text (STRING);
        REQUIRED GROUP sentences (LIST) {
            REPEATED GROUP list {
                REQUIRED GROUP element {
                    REQUIRED BINARY text (STRING);
                    REQUIRED BINARY mode (STRING);
                    REQUIRED BINARY check (STRING);
                    OPTIONAL DOUBLE support;
                    REQUIRED GROUP sources (LIST) {
                        REPEATED GROUP list {
                            REQUIRED GROUP element {
                                REQUIRED INT64 start;
                                REQUIRED INT64 end;
                            }
                        }
                    }
                }
            }
        }
    }
    OPTIONAL BINARY model (STRING);
    OPTIONAL INT64 tokens;
    OPTIONAL INT64 windows;
    OPTIONAL BOOLEAN truncated;
    OPTIONAL BOOLEAN abstained;
    OPTIONAL BINARY error_kind (STRING);
    OPTIONAL BINARY error_message (STRING);
    OPTIONAL BINARY fields (STRING);
}";

/// Writes Parquet; [`Parquet::finish`] ends it.
pub struct Parquet<W: Write + Send> {
    out: Option<W>,
    file: Option<SerializedFileWriter<W>>,
    rows: Rows,
}

impl<W: Write + Send> Parquet<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self {
            out: Some(out),
            file: None,
            rows: Rows::default(),
        }
    }

    /// Writes the last records, and the description without which nothing can be read.
    ///
    /// # Errors
    /// The writer's.
    pub fn finish(mut self) -> io::Result<()> {
        self.write_rows()?;
        match self.file {
            Some(file) => file.close().map(drop).map_err(io_error),
            None => Ok(()),
        }
    }

    fn write_rows(&mut self) -> io::Result<()> {
        if let Some(out) = self.out.take() {
            let writer = SerializedFileWriter::new(out, schema()?, properties()?);
            self.file = Some(writer.map_err(io_error)?);
        }
        let rows = std::mem::take(&mut self.rows);
        match &mut self.file {
            Some(file) if rows.count > 0 => rows.write(file).map_err(io_error),
            _ => Ok(()),
        }
    }
}

impl<W: Write + Send> Sink for Parquet<W> {
    fn write(&mut self, record: &Record) -> io::Result<()> {
        self.rows.add(record);
        if self.rows.count >= ROWS || self.rows.bytes >= BYTES {
            self.write_rows()?;
        }
        Ok(())
    }

    /// A row group waits until it is full.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn schema() -> io::Result<TypePtr> {
    parse_message_type(SCHEMA).map(Arc::new).map_err(io_error)
}

fn properties() -> io::Result<WriterPropertiesPtr> {
    let zstd = ZstdLevel::try_new(3).map_err(io_error)?;
    let properties = WriterProperties::builder()
        .set_created_by(format!("tidings version {}", env!("CARGO_PKG_VERSION")))
        .set_compression(Compression::ZSTD(zstd));
    Ok(Arc::new(properties.build()))
}

/// The writer's own error, whose kind (a closed pipe, say) would be hidden.
fn io_error(error: ParquetError) -> io::Error {
    let own = error
        .source()
        .and_then(|own| own.downcast_ref::<io::Error>());
    match own {
        Some(own) => io::Error::new(own.kind(), own.to_string()),
        None => io::Error::other(error),
    }
}

/// The values of a column that holds values, and where they belong: how much of its path is there, and at which level it goes on in a list
/// (0: a new record).
struct Leaf<T> {
    values: Vec<T>,
    levels: Vec<i16>,
    repeats: Vec<i16>,
}

impl<T> Default for Leaf<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            levels: Vec::new(),
            repeats: Vec::new(),
        }
    }
}

impl<T> Leaf<T> {
    fn put(&mut self, value: T, level: i16, repeat: i16) {
        self.values.push(value);
        self.none(level, repeat);
    }

    fn none(&mut self, level: i16, repeat: i16) {
        self.levels.push(level);
        self.repeats.push(repeat);
    }

    /// The value of a column that is optional and in no list.
    fn maybe(&mut self, value: Option<T>) {
        match value {
            Some(value) => self.put(value, 1, 0),
            None => self.none(0, 0),
        }
    }
}

/// Records as columns.
#[derive(Default)]
struct Rows {
    count: usize,
    bytes: usize,
    schema: Leaf<i32>,
    id: Leaf<ByteArray>,
    title: Leaf<ByteArray>,
    date: Leaf<ByteArray>,
    language: Leaf<ByteArray>,
    claim: Leaf<ByteArray>,
    stance: Leaf<ByteArray>,
    label: Leaf<ByteArray>,
    scores: [Leaf<f64>; 4],
    evidence: Evidence,
    summary: Summary,
    model: Leaf<ByteArray>,
    tokens: Leaf<i64>,
    windows: Leaf<i64>,
    truncated: Leaf<bool>,
    abstained: Leaf<bool>,
    error_kind: Leaf<ByteArray>,
    error_message: Leaf<ByteArray>,
    fields: Leaf<ByteArray>,
}

#[derive(Default)]
struct Evidence {
    text: Leaf<ByteArray>,
    start: Leaf<i64>,
    end: Leaf<i64>,
    score: Leaf<f64>,
}

#[derive(Default)]
struct Summary {
    text: Leaf<ByteArray>,
    sentence: Leaf<ByteArray>,
    mode: Leaf<ByteArray>,
    check: Leaf<ByteArray>,
    support: Leaf<f64>,
    start: Leaf<i64>,
    end: Leaf<i64>,
}

impl Rows {
    fn add(&mut self, record: &Record) {
        self.count += 1;
        self.schema.put(record.schema as i32, 0, 0);
        let id = self.text(&record.id);
        self.id.put(id, 0, 0);
        let (answer, error) = match &record.outcome {
            Outcome::Answer(answer) => (Some(&**answer), None),
            Outcome::Error { error } => (None, Some(error)),
        };
        self.answer(answer);
        self.evidence(answer);
        self.summary(
            answer
                .map(|answer| answer.summary.as_ref())
                .unwrap_or_default(),
        );
        self.error_kind
            .maybe(error.map(|error| error.kind.to_string().into_bytes().into()));
        let message = error.map(|error| self.text(&error.message));
        self.error_message.maybe(message);
        let fields = record.fields.as_ref().map(|fields| self.text(&fields.0));
        self.fields.maybe(fields);
    }

    fn text(&mut self, text: &str) -> ByteArray {
        self.bytes += text.len();
        text.into()
    }

    fn answer(&mut self, answer: Option<&Answer>) {
        let mut text = |text: Option<&str>| text.map(|text| self.text(text));
        let title = text(answer.and_then(|a| a.title.as_deref()));
        let date = text(answer.and_then(|a| a.date.as_deref()));
        let language = text(answer.and_then(|a| a.language.as_deref()));
        let claim = text(answer.map(|a| a.claim.as_str()));
        let stance = text(answer.map(|a| a.stance.name()));
        let label = text(answer.map(|a| a.label.as_str()));
        let model = text(answer.map(|a| a.model.as_str()));
        self.title.maybe(title);
        self.date.maybe(date);
        self.language.maybe(language);
        self.claim.maybe(claim);
        self.stance.maybe(stance);
        self.label.maybe(label);
        self.model.maybe(model);
        for (at, column) in self.scores.iter_mut().enumerate() {
            column.maybe(
                answer
                    .and_then(|a| a.scores.0.get(at))
                    .map(|(_, score)| *score),
            );
        }
        self.tokens.maybe(answer.map(|a| a.tokens as i64));
        self.windows.maybe(answer.map(|a| a.windows as i64));
        self.truncated.maybe(answer.map(|a| a.truncated));
        self.abstained.maybe(answer.map(|a| a.abstained));
    }

    /// Level 0: no list, 1: an empty one, 2: an element.
    fn evidence(&mut self, answer: Option<&Answer>) {
        let elements = answer.map(|answer| answer.evidence.as_slice());
        if elements.is_none_or(<[_]>::is_empty) {
            let (level, column) = (i16::from(elements.is_some()), &mut self.evidence);
            column.text.none(level, 0);
            column.start.none(level, 0);
            column.end.none(level, 0);
            column.score.none(level, 0);
        }
        for (at, element) in elements.unwrap_or_default().iter().enumerate() {
            let repeat = i16::from(at > 0);
            let text = self.text(&element.text);
            let column = &mut self.evidence;
            column.text.put(text, 2, repeat);
            column.start.put(element.start as i64, 2, repeat);
            column.end.put(element.end as i64, 2, repeat);
            column.score.put(element.score, 2, repeat);
        }
    }

    /// Level 0: no summary, 1: one without sentences, 2: a sentence, 3: one of its sources.
    fn summary(&mut self, summary: Option<&SummaryRecord>) {
        let text = summary.map(|summary| self.text(&summary.text));
        self.summary.text.maybe(text);
        let sentences = summary
            .map(|summary| summary.sentences.as_slice())
            .unwrap_or_default();
        if sentences.is_empty() {
            let (level, column) = (i16::from(summary.is_some()), &mut self.summary);
            for text in [&mut column.sentence, &mut column.mode, &mut column.check] {
                text.none(level, 0);
            }
            column.support.none(level, 0);
            column.start.none(level, 0);
            column.end.none(level, 0);
        }
        for (at, sentence) in sentences.iter().enumerate() {
            let repeat = i16::from(at > 0);
            let text = self.text(&sentence.text);
            let column = &mut self.summary;
            column.sentence.put(text, 2, repeat);
            column.mode.put(sentence.mode.name().into(), 2, repeat);
            column.check.put(sentence.check.name().into(), 2, repeat);
            // Level 3 where there is one.
            match sentence.support {
                Some(support) => column.support.put(support, 3, repeat),
                None => column.support.none(2, repeat),
            }
            if sentence.sources.is_empty() {
                column.start.none(2, repeat);
                column.end.none(2, repeat);
            }
            for (at, [start, end]) in sentence.sources.iter().enumerate() {
                let repeat = if at > 0 { 2 } else { repeat };
                column.start.put(*start as i64, 3, repeat);
                column.end.put(*end as i64, 3, repeat);
            }
        }
    }

    /// One row group, its columns in the order of the schema.
    fn write<W: Write + Send>(
        self,
        file: &mut SerializedFileWriter<W>,
    ) -> Result<(), ParquetError> {
        let mut group = file.next_row_group()?;
        macro_rules! write {
            ($type:ty: $($leaf:expr),+) => {$(
                if let Some(mut column) = group.next_column()? {
                    put::<$type>(&mut column, &$leaf)?;
                    column.close()?;
                }
            )+};
        }
        write!(Int32Type: self.schema);
        write!(ByteArrayType: self.id, self.title, self.date, self.language, self.claim, self.stance, self.label);
        let [supports, refutes, discusses, unrelated] = self.scores;
        write!(DoubleType: supports, refutes, discusses, unrelated);
        write!(ByteArrayType: self.evidence.text);
        write!(Int64Type: self.evidence.start, self.evidence.end);
        write!(DoubleType: self.evidence.score);
        let summary = self.summary;
        write!(ByteArrayType: summary.text, summary.sentence, summary.mode, summary.check);
        write!(DoubleType: summary.support);
        write!(Int64Type: summary.start, summary.end);
        write!(ByteArrayType: self.model);
        write!(Int64Type: self.tokens, self.windows);
        write!(BoolType: self.truncated, self.abstained);
        write!(ByteArrayType: self.error_kind, self.error_message, self.fields);
        group.close().map(drop)
    }
}

fn put<T: parquet::data_type::DataType>(
    column: &mut SerializedColumnWriter<'_>,
    leaf: &Leaf<T::T>,
) -> Result<(), ParquetError> {
    let column = column.typed::<T>();
    // Of a column that needs none the writer takes no levels.
    let levels = (column.get_descriptor().max_def_level() > 0).then_some(leaf.levels.as_slice());
    let repeats = (column.get_descriptor().max_rep_level() > 0).then_some(leaf.repeats.as_slice());
    column.write_batch(&leaf.values, levels, repeats).map(drop)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use parquet::file::reader::{FileReader, SerializedFileReader};

    use super::*;
    use crate::error::{ArticleError, ArticleErrorKind};

    const RECORDS: [&str; 4] = [
        r#"{"schema":1,"id":"a","title":"One","date":null,"language":"en","claim":"Talks.","stance":"refutes","label":"no",
            "scores":{"yes":0.1,"no":0.7,"open":0.2,"off":0.0},"evidence":[{"text":"A.","start":0,"end":2,"score":0.9},
            {"text":"B.","start":3,"end":5,"score":0.8}],"summary":{"text":"A. B.","sentences":[
            {"text":"A.","mode":"rewritten","check":"passed","support":0.75,"sources":[[0,2],[7,9]]},
            {"text":"B.","mode":"extracted","check":"copied","sources":[]}]},"model":"m@1","tokens":7,"windows":1,
            "truncated":true,"abstained":true,"fields":{"desk":1}}"#,
        r#"{"schema":1,"id":"b","error":{"kind":"too-large","message":"it is too large"}}"#,
        r#"{"schema":1,"id":"c","title":null,"date":"2026-11-20","language":null,"claim":"Talks.","stance":"unrelated","label":"off",
            "scores":{"yes":0.1,"no":0.1,"open":0.1,"off":0.7},"evidence":[],"summary":{"text":"","sentences":[]},"model":"m@1",
            "tokens":3,"windows":1,"truncated":false}"#,
        r#"{"schema":1,"id":"d","title":null,"date":null,"language":null,"claim":"Talks.","stance":"unrelated","label":"off",
            "scores":{"yes":0.1,"no":0.1,"open":0.1,"off":0.7},"evidence":[{"text":"D.","start":0,"end":2,"score":0.5}],
            "model":"m@1","tokens":3,"windows":1,"truncated":false}"#,
    ];

    /// The whole of a file, by the crate's own reader.
    fn rows(bytes: Vec<u8>) -> Vec<String> {
        let file = SerializedFileReader::new(bytes::Bytes::from(bytes)).unwrap();
        let rows = file.get_row_iter(None).unwrap();
        rows.map(|row| row.unwrap().to_string()).collect()
    }

    fn written(records: &[Record]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut file = Parquet::new(&mut bytes);
        for record in records {
            file.write(record).unwrap();
            file.flush().unwrap();
        }
        file.finish().unwrap();
        bytes
    }

    #[test]
    fn every_part_of_a_record_has_its_column() {
        let records = RECORDS.map(|json| serde_json::from_str(json).unwrap());
        insta::assert_snapshot!(rows(written(&records)).join("\n"), @r#"
        {schema: 1, id: "a", title: "One", date: null, language: "en", claim: "Talks.", stance: "refutes", label: "no", score_supports: 0.1, score_refutes: 0.7, score_discusses: 0.2, score_unrelated: 0E0, evidence: [{text: "A.", start: 0, end: 2, score: 0.9}, {text: "B.", start: 3, end: 5, score: 0.8}], summary: {text: "A. B.", sentences: [{text: "A.", mode: "rewritten", check: "passed", support: 0.75, sources: [{start: 0, end: 2}, {start: 7, end: 9}]}, {text: "B.", mode: "extracted", check: "copied", support: null, sources: []}]}, model: "m@1", tokens: 7, windows: 1, truncated: true, abstained: true, error_kind: null, error_message: null, fields: "{"desk":1}"}
        {schema: 1, id: "b", title: null, date: null, language: null, claim: null, stance: null, label: null, score_supports: null, score_refutes: null, score_discusses: null, score_unrelated: null, evidence: null, summary: null, model: null, tokens: null, windows: null, truncated: null, abstained: null, error_kind: "too-large", error_message: "it is too large", fields: null}
        {schema: 1, id: "c", title: null, date: "2026-11-20", language: null, claim: "Talks.", stance: "unrelated", label: "off", score_supports: 0.1, score_refutes: 0.1, score_discusses: 0.1, score_unrelated: 0.7, evidence: [], summary: {text: "", sentences: []}, model: "m@1", tokens: 3, windows: 1, truncated: false, abstained: false, error_kind: null, error_message: null, fields: null}
        {schema: 1, id: "d", title: null, date: null, language: null, claim: "Talks.", stance: "unrelated", label: "off", score_supports: 0.1, score_refutes: 0.1, score_discusses: 0.1, score_unrelated: 0.7, evidence: [{text: "D.", start: 0, end: 2, score: 0.5}], summary: null, model: "m@1", tokens: 3, windows: 1, truncated: false, abstained: false, error_kind: null, error_message: null, fields: null}
        "#);
        assert_eq!(rows(written(&[])), Vec::<String>::new());
    }

    #[test]
    fn a_row_group_is_bounded() {
        let error = |id: usize| {
            let error = ArticleError::new(ArticleErrorKind::Empty, "no article text found");
            Record::error(id.to_string(), error)
        };
        let many: Vec<Record> = (0..ROWS + 1).map(error).collect();
        let file = |records: &[Record]| {
            SerializedFileReader::new(bytes::Bytes::from(written(records))).unwrap()
        };
        assert_eq!(file(&many).num_row_groups(), 2);
        let long = Record::error(
            "x".repeat(BYTES / 2),
            ArticleError::new(ArticleErrorKind::Empty, ""),
        );
        assert_eq!(
            file(&[long.clone(), long.clone(), long]).num_row_groups(),
            2
        );
    }

    /// Whoever reads from a pipe may have had enough: that is told from a full disk.
    #[test]
    fn a_closed_pipe_is_told() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let ended = Parquet::new(Closed).finish();
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
