//! Scoring a file on all cores, in constant memory: one thread reads blocks, some score them, one writes them in order.
//!
//! Blocks go to the scoring threads in turn and are taken from them in the same turn, so their order needs no book-keeping,
//! and whoever is ahead waits.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::blocks::{Block, Blocks};
use super::faults::{BadRow, Faults};
use super::output::{Maker, Output, Part};
use super::scored::check_free;
use super::scoring::{Layout, Outcome, TextScorer};
use super::sink::write_error;
use super::text::Watch;
use super::{DataError, Format};
use crate::model::Model;
use crate::model::columnar::Lookups;

/// Bytes of text that are scored at a time: much more than handing them over costs, and little enough to stay in a cache.
pub const BLOCK_BYTES: usize = 512 << 10;
/// Blocks that wait before each thread, and after it.
const WAITING: usize = 2;
/// Bad rows that are told of besides the list.
const NAMED_MAX: usize = 3;

/// A file to score.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// The model.
    pub model: &'a Model,
    /// The rows.
    pub data: &'a Path,
    /// Where they go with their scores.
    pub out: &'a Path,
    /// Where bad rows are listed.
    pub errors: &'a Path,
    /// Threads that score.
    pub threads: usize,
    /// Bytes of text that are scored at a time.
    pub block_bytes: usize,
}

/// How far a job is, or how it ended.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Rows, bad ones and all.
    pub rows: u64,
    /// Rows that could not be scored.
    pub bad: u64,
    /// The first of them, with what is wrong.
    pub named: Vec<String>,
}

/// A scored block.
struct Scored {
    part: Part,
    outcome: Outcome,
}

/// Scores a file; `each` is told how far it is. Where not one row could be scored, nothing is written but the list of bad rows.
///
/// # Errors
/// [`DataError`]; then the output is as it was.
pub fn score_file(job: &Job<'_>, watch: Watch<'_>, each: &mut dyn FnMut(&Tally)) -> Result<Tally, DataError> {
    let format = Format::of(job.out)?;
    let blocks = Blocks::open(job.data, watch, job.block_bytes)?;
    let places = blocks.places(job.model.columns())?;
    let header = blocks.header().to_vec();
    check_free(&header, job.data)?;
    let lookups = Lookups::new(job.model);
    #[cfg(feature = "parquet")]
    let schema = super::columns::scored_schema(&header, blocks.schema());
    #[cfg(feature = "parquet")]
    let (mut output, maker) = (Output::create(job.out, &header, &schema)?, Maker::of(format, &schema));
    #[cfg(not(feature = "parquet"))]
    let (mut output, maker) = (Output::create(job.out, &header)?, Maker::of(format));
    let plan = Plan {
        layout: Layout::new(&lookups, &places, header.len()),
        lookups: &lookups,
        maker,
        out: job.out,
        #[cfg(feature = "parquet")]
        columns: super::columns::Plan::new(&lookups, &places, schema),
    };
    let mut faults = Faults::new(job.errors);
    let mut tally = Tally::default();
    thread::scope(|scope| {
        let (mut to, mut from) = (Vec::new(), Vec::new());
        for _ in 0..job.threads.max(1) {
            let (send, blocks) = sync_channel(WAITING);
            let (done, scored) = sync_channel(WAITING);
            let plan = &plan;
            scope.spawn(move || score_blocks(plan, &blocks, &done));
            to.push(send);
            from.push(scored);
        }
        scope.spawn(move || read_blocks(blocks, &to));
        for scored in from.iter().cycle() {
            // A thread that has no more blocks is done, and so are those after it.
            let Ok(scored) = scored.recv() else { break };
            let Scored { part, outcome } = scored?;
            list(&outcome.bad, &header, &mut tally, &mut faults)?;
            tally.rows += outcome.rows;
            output.add(part)?;
            each(&tally);
        }
        Ok(())
    })?;
    if tally.rows == 0 {
        return Err(DataError::NoRows(job.data.to_path_buf()));
    }
    faults.finish()?;
    if tally.bad < tally.rows {
        output.finish()?;
    }
    Ok(tally)
}

/// What the scoring threads share.
struct Plan<'l> {
    lookups: &'l Lookups<'l>,
    layout: Layout,
    maker: Maker,
    out: &'l Path,
    #[cfg(feature = "parquet")]
    columns: super::columns::Plan<'l>,
}

type Handed<T> = Result<T, DataError>;

/// Hands blocks out in turn, until there are no more or nobody takes them.
fn read_blocks(mut blocks: Blocks, to: &[SyncSender<Handed<Block>>]) {
    for send in to.iter().cycle() {
        let Some(block) = blocks.next_block().transpose() else { return };
        let failed = block.is_err();
        if send.send(block).is_err() || failed {
            return;
        }
    }
}

fn score_blocks(plan: &Plan<'_>, blocks: &Receiver<Handed<Block>>, done: &SyncSender<Handed<Scored>>) {
    let mut scorer = TextScorer::new(plan.lookups, &plan.layout);
    for block in blocks {
        let scored = block.and_then(|block| score_block(plan, &mut scorer, block));
        if done.send(scored).is_err() {
            return;
        }
    }
}

fn score_block(plan: &Plan<'_>, scorer: &mut TextScorer<'_>, block: Block) -> Result<Scored, DataError> {
    let failed = |message: String| write_error(plan.out, message);
    match block {
        Block::Text(text) => {
            let mut out = Vec::with_capacity(text.len() + text.len() / 4 + 4096);
            let outcome = scorer.score(&text, &mut out);
            Ok(Scored { part: plan.maker.part_of_text(out).map_err(failed)?, outcome })
        }
        #[cfg(feature = "parquet")]
        Block::Columns(batch) => {
            let (batch, outcome) = plan.columns.score(&batch).map_err(failed)?;
            let part = match &plan.maker {
                Maker::Columns(_) => Part::Columns(batch),
                maker => maker.part_of_text(super::columns::text_of_batch(&batch).map_err(failed)?).map_err(failed)?,
            };
            Ok(Scored { part, outcome })
        }
    }
}

/// Lists the bad rows of a block that begins after `tally.rows` rows.
fn list(bad: &[BadRow], header: &[String], tally: &mut Tally, faults: &mut Faults) -> Result<(), DataError> {
    for of in bad {
        // The header is row 1.
        let (row, column) = (tally.rows + of.row + 2, of.column(header));
        faults.add(row, column, &of.value, &of.fault)?;
        if tally.named.len() < NAMED_MAX {
            let at = if column.is_empty() { String::new() } else { format!(", column {column}, {:?}", of.value) };
            tally.named.push(format!("row {row}{at}: {}", of.fault));
        }
        tally.bad += 1;
    }
    Ok(())
}
