//! Golden questions: how a fresh library gets some, and whether an answer to one is right. Pure.

use std::time::{Duration, Instant};

use super::worker::Job;
use crate::edition::Golden;
use crate::types::{Answer, Place, Question, Status};

/// Longest that golden questions may take: the slowest board, its files still on a cold disk.
pub const LONGEST: Duration = Duration::from_secs(600);

/// Golden questions of edition 0; a start asks them in turn until one is right.
const MOST: usize = 8;

/// `golden` as work for an answering thread.
pub fn job(golden: &Golden, ticket: u64, now: Instant) -> Job {
    Job {
        ticket,
        question: Question {
            text: golden.question.clone(),
            place: golden.place.clone(),
            crop: golden.crop.clone(),
            ..Question::default()
        },
        readings: Vec::new(),
        deadline: now + LONGEST,
        arrived: now,
    }
}

/// A document, as far as a question can be made from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The document's own id.
    pub document: String,
    /// Its title.
    pub title: String,
    /// A heading with text under it.
    pub heading: String,
    /// Where it holds.
    pub place: Place,
    /// A crop it is about.
    pub crop: Option<String>,
}

/// Makes golden questions of documents: one a document, spread over the library.
///
/// A heading of a document, asked as a question, has an answer in that document: the right one to cite
/// is known without anybody having written a question.
pub fn choose(candidates: &[Candidate]) -> Vec<Golden> {
    let step = candidates.len().div_ceil(MOST).max(1);
    let golden = |candidate: &Candidate| Golden {
        question: question(candidate),
        place: (!candidate.place.is_general()).then(|| candidate.place.clone()),
        crop: candidate.crop.clone(),
        document: Some(candidate.document.clone()),
        ..Golden::default()
    };
    candidates.iter().step_by(step).map(golden).collect()
}

fn question(candidate: &Candidate) -> String {
    let (title, heading) = (candidate.title.trim(), candidate.heading.trim());
    if heading.is_empty() || heading == title {
        // Its words alone: each other word is one that the document may lack.
        format!("{title}?")
    } else {
        format!("{title}: {heading}?")
    }
}

/// The question for a library that has none: answering it shows that every part works together.
pub fn for_an_empty_library() -> Golden {
    Golden {
        question: "What does this library hold?".into(),
        ..Golden::default()
    }
}

/// Whether `answer` is right for `golden`; the reason when it is not.
///
/// A golden question without document and facts asks only that the box works: a refusal will do.
pub fn judge(golden: &Golden, answer: &Answer) -> Result<(), String> {
    let open = golden.document.is_none() && golden.facts.is_empty();
    match answer.status {
        Status::Refused if golden.refuse => return Ok(()),
        Status::Answered if golden.refuse => return Err("answered, a refusal is right".into()),
        Status::Answered => {}
        Status::Refused if open => return Ok(()),
        _ => {
            let reason = answer.reason.as_deref().unwrap_or("no reason given");
            return Err(format!("{:?} ({reason})", answer.status).to_lowercase());
        }
    }
    if golden.drafted && answer.quoted {
        let reason = answer.reason.as_deref().unwrap_or("no reason given");
        return Err(format!("{reason}; the model's own words are wanted"));
    }
    if let Some(document) = &golden.document
        && !answer
            .citations
            .iter()
            .any(|citation| citation.document == *document)
    {
        return Err(format!("{document} is not cited"));
    }
    let text = answer.answer.as_deref().unwrap_or_default().to_lowercase();
    match golden
        .facts
        .iter()
        .find(|fact| !text.contains(&fact.to_lowercase()))
    {
        Some(fact) => Err(format!("{fact:?} is not in the answer")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Citation;

    fn candidate(number: usize) -> Candidate {
        Candidate {
            document: format!("{number}.md"),
            title: "Planting maize in Iowa".into(),
            heading: "Seeding depth".into(),
            place: Place::new("US", "Iowa"),
            crop: Some("maize".into()),
        }
    }

    fn citing(document: &str, text: &str) -> Answer {
        let mut answer = Answer::without_text(None, Status::Answered, "", "b", 0);
        answer.answer = Some(text.into());
        answer.citations.push(Citation {
            document: document.into(),
            title: String::new(),
            section: String::new(),
            page: None,
            place: String::new(),
            quote: String::new(),
            score: 1.0,
        });
        answer
    }

    #[test]
    fn a_document_without_headings_is_asked_for_by_its_title_alone() {
        let note = Candidate {
            title: "Gate code".into(),
            heading: "Gate code".into(),
            ..candidate(1)
        };
        assert_eq!(choose(&[note])[0].question, "Gate code?");
    }

    #[test]
    fn questions_are_few_and_spread_over_the_library() {
        let candidates: Vec<Candidate> = (0..100).map(candidate).collect();
        let golden = choose(&candidates);
        assert!((1..=MOST).contains(&golden.len()), "{}", golden.len());
        assert_eq!(golden[0].question, "Planting maize in Iowa: Seeding depth?");
        assert_ne!(golden[0].document, golden[1].document);
        assert!(choose(&[]).is_empty());
    }

    #[test]
    fn an_answer_is_right_when_it_cites_the_document_and_holds_the_facts() {
        let mut golden = choose(&[candidate(1)]).remove(0);
        golden.facts = vec!["5 cm".into()];
        assert_eq!(judge(&golden, &citing("1.md", "Plant 5 CM deep.")), Ok(()));
        assert!(judge(&golden, &citing("2.md", "Plant 5 cm deep.")).is_err());
        assert!(judge(&golden, &citing("1.md", "Plant deep.")).is_err());
    }

    #[test]
    fn a_quotation_is_right_where_no_draft_is_asked_for() {
        let mut golden = choose(&[candidate(1)]).remove(0);
        let mut quotation = citing("1.md", "Plant 5 cm deep.");
        (quotation.quoted, quotation.reason) = (true, Some("a quotation".into()));
        assert_eq!(judge(&golden, &quotation), Ok(()));
        golden.drafted = true;
        let wrong = judge(&golden, &quotation).expect_err("not the model's own words");
        assert_eq!(wrong, "a quotation; the model's own words are wanted");
        quotation.quoted = false;
        assert_eq!(judge(&golden, &quotation), Ok(()));
    }

    #[test]
    fn a_refusal_is_right_for_an_empty_library_only() {
        let refusal = Answer::without_text(None, Status::Refused, "nothing", "b", 0);
        assert_eq!(judge(&for_an_empty_library(), &refusal), Ok(()));
        let reason = judge(&choose(&[candidate(1)])[0], &refusal).expect_err("not answered");
        assert_eq!(reason, "refused (nothing)");
        let failure = Answer::without_text(None, Status::Failed, "broken", "b", 0);
        assert!(judge(&for_an_empty_library(), &failure).is_err());
    }
}
