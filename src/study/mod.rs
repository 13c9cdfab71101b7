//! Question sets and what they measure: key facts right, ungrounded figures, refusals right and wrong.
//!
//! The grounding checker and the scoring here share no code with the guard of the answer room: they
//! are its second opinion. The test part of a set never chooses a threshold.

mod adviser;
mod arms;
mod beir;
mod calibrate;
mod check;
mod checker;
mod corpus;
mod endpoint;
mod facts;
mod figures;
mod generate;
mod judge;
mod lessons;
mod measures;
mod meters;
mod overlap;
mod questions;
mod ranking;
mod recall;
mod report;
mod results;
mod rows;
mod score;
mod stated;
mod stats;
mod twins;

pub use adviser::{Advice, Verdict};
pub use arms::{AnswerRow, Arm, Asker};
pub use beir::{BeirSet, read_beir};
pub use calibrate::{Calibration, Scored, calibrate};
pub use check::{ByKind, SetFault, SetReport, check, digest_of};
pub use checker::{Evidence, ungrounded};
pub use corpus::Corpus;
#[cfg(test)]
pub(crate) use endpoint::tests as endpoint_testing;
pub use endpoint::{
    ChatEndpoint, ChatReply, ChatRequest, EndpointConfig, EndpointError, HttpEndpoint, Ledger,
    ReplyFormat,
};
pub use facts::is_right;
pub use generate::{Plan, generate, select};
pub use judge::{
    Correctness, Guideline, JudgeError, JudgeLine, JudgeResults, JudgedArm, Judgement, Judging,
    Keep, REPEATS, judge,
};
pub use lessons::{ChatLine, Lesson, Teacher, Withheld};
pub use measures::{MEASURES, Measure, Unit, Way, measure};
pub use meters::{EnergyMark, MeterPaths, Meters};
pub use overlap::declines;
pub use questions::{
    Fact, Gold, Kind, SentReading, Split, StudyError, StudyQuestion, read, read_text,
};
pub use ranking::{Judgements, RankingMeasure, judge_rankings, ndcg, recall_at};
pub use recall::{DEPTHS, RecallAt, Retrieval, retrieval};
pub use report::{html, markdown};
pub use results::{
    ArmResult, COMPARED, Comparison, Figured, Material, Mcnemar, Results, common, results, scores,
    similarities,
};
pub use rows::{AdapterName, Rows, RowsError, RunHeader, read_rows};
pub use score::{Band, Grade, LONGEST_RATIO, LONGEST_WORDS, SIMILAR, SOMEWHAT, Score, score};
pub use stated::{ReadingUse, Stated};
pub use stats::{DRAWS, Draws, Interval, SEED, mcnemar, median};
pub use twins::{Bands, TwinMeasures, twins};
