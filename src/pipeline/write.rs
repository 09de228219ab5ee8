//! Stage 4: records, batch by batch.

use std::sync::mpsc::Receiver;

use super::{Answered, Outcome, Stage, Totals};
use crate::error::{Error, Result};
use crate::output::{Entry, Record, Sink};

/// Stage 4, on the caller's thread: writes records batch by batch, a chunk of each asker in turn.
pub(super) fn write(
    answered: Vec<Receiver<Option<Answered>>>,
    stage: &Stage<'_>,
    sink: &mut dyn Sink,
    watch: &mut dyn FnMut(&mut Totals),
    totals: &mut Totals,
) -> Result<()> {
    let mut turns = answered.iter().cycle();
    let mut asker = turns.next();
    let batches = std::iter::from_fn(|| {
        loop {
            match asker?.recv() {
                Ok(Some(batch)) => return Some(batch),
                Ok(None) => asker = turns.next(),
                // It hung up in its turn: there are no more chunks, or what comes next is missing.
                Err(_) => return None,
            }
        }
    });
    for batch in batches {
        for (article, said) in batch {
            let mut entry = Entry {
                id: &article.id,
                digest: article.digest,
                own_claim: article.own_claim,
                file: article.file,
                ends_file: article.ends_file,
                error: None,
            };
            match &article.outcome {
                Outcome::Passed => {
                    totals.passed += 1;
                    sink.pass(&entry)?;
                    continue;
                }
                Outcome::Failed(error) => {
                    *totals.errors.entry(error.kind).or_default() += 1;
                    entry.error = Some(error.kind);
                    let record = Record::error(article.id.clone(), error.clone());
                    let record = record.with_fields(article.fields.clone());
                    sink.write(&record).map_err(Error::Output)?;
                    totals.records += 1;
                }
                Outcome::Ready(ready) => {
                    let claims = article.claims(stage.claims).iter();
                    for (claim, (verdict, summary)) in claims.zip(said) {
                        *totals.stances.entry(verdict.stance).or_default() += 1;
                        let record = Record::answer(
                            ready.source.clone(),
                            claim.text.clone(),
                            verdict,
                            &stage.options.labels,
                            stage.model.manifest().id(),
                        );
                        let record = match summary {
                            Some(summary) => record.with_summary(summary),
                            None => record,
                        };
                        let record = record.with_fields(article.fields.clone());
                        sink.write(&record).map_err(Error::Output)?;
                        totals.records += 1;
                    }
                }
            }
            totals.articles += 1;
            sink.end(&entry)?;
        }
        sink.flush().map_err(Error::Output)?;
        watch(totals);
    }
    sink.flush().map_err(Error::Output)
}
