//! Many tokens in several passes: what a pass computes on its way stays in the processor's caches, and its memory is used again.

use crate::decode::Row;
use crate::error::Result;

/// Reads all rows' tokens with `pass`, about `tokens` at a time, and returns the logits of each row; a row's tokens are read in order.
///
/// # Errors
/// Those of `pass`.
pub fn in_passes<C>(
    rows: &mut [Row<'_, C>],
    tokens: usize,
    mut pass: impl FnMut(&mut [Row<'_, C>]) -> Result<Vec<Vec<f32>>>,
) -> Result<Vec<Vec<f32>>> {
    let mut logits = vec![Vec::new(); rows.len()];
    // The first row that has tokens left, and how many it has given.
    let (mut first, mut given) = (0, 0);
    while first < rows.len() {
        let mut room = tokens;
        let start = first;
        let mut some = Vec::new();
        for row in &mut rows[start..] {
            let count = room.min(row.ids.len() - given);
            let left = row.ids.len() - given - count;
            some.push(Row {
                ids: &row.ids[given..given + count],
                cache: &mut *row.cache,
                asked: row.asked.saturating_sub(left).min(count),
            });
            room -= count;
            if left > 0 {
                given += count;
                break;
            }
            (first, given) = (first + 1, 0);
            if room == 0 {
                break;
            }
        }
        for (logits, more) in logits[start..].iter_mut().zip(pass(&mut some)?) {
            match logits.is_empty() {
                true => *logits = more,
                false => logits.extend(more),
            }
        }
    }
    Ok(logits)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Tokens of a pass.
    const TOKENS: usize = 64;

    #[test]
    fn rows_are_cut_where_a_pass_is_full_and_get_the_logits_they_asked_for() {
        let long: Vec<u32> = (0..TOKENS as u32 * 2 + 5).collect();
        let texts: [(&[u32], usize); 5] = [
            (&long[..3], 1),
            (&long, 7),
            (&[], 1),
            (&long[..TOKENS], 0),
            (&long[..2], 9),
        ];
        let mut caches: Vec<Vec<u32>> = vec![Vec::new(); texts.len()];
        let mut rows: Vec<Row<'_, Vec<u32>>> = texts
            .iter()
            .zip(&mut caches)
            .map(|((ids, asked), cache)| Row {
                ids,
                cache,
                asked: *asked,
            })
            .collect();
        // The logits of a token are its number.
        let logits = in_passes(&mut rows, TOKENS, |rows| {
            assert!(rows.iter().map(|row| row.ids.len()).sum::<usize>() <= TOKENS);
            let each = rows.iter_mut().map(|row| {
                row.cache.extend(row.ids);
                let asked = &row.ids[row.ids.len() - row.asked..];
                asked.iter().map(|id| *id as f32).collect()
            });
            Ok(each.collect())
        });
        for (((ids, asked), cache), logits) in texts.iter().zip(&caches).zip(logits.unwrap()) {
            assert_eq!(cache, ids);
            let asked = &ids[ids.len() - ids.len().min(*asked)..];
            let asked: Vec<f32> = asked.iter().map(|id| *id as f32).collect();
            assert_eq!(logits, asked);
        }
    }
}
