//! Limits of one process, without Redis.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    account::Share,
    book::{Book, Charge, Decision},
    clock::Clock,
    month::Seeder,
    standing::{Refusal, Standing},
    subject::{Demand, Subject},
    unknown_budget,
};

/// The accounts, and where their months begin.
pub(super) struct Memory {
    pub(super) book: Book,
    pub(super) seeder: Seeder,
}

impl Memory {
    pub(super) fn open(seeder: Seeder, clock: Clock) -> Arc<Self> {
        Arc::new(Self { book: Book::new(clock), seeder })
    }

    pub(super) async fn reserve(&self, demand: &Demand) -> Result<(Charge, Standing), Refusal> {
        reserve(&self.book, &self.seeder, demand, Share::WHOLE).await
    }

    pub(super) fn recount(&self, id: Uuid) {
        self.seeder.forget(id);
        self.book.recount(id);
    }

    pub(super) async fn standing(&self, subject: &Subject) -> Option<Standing> {
        standing(&self.book, &self.seeder, subject, Share::WHOLE).await
    }
}

/// Charges all subjects, or none; asks the usage rows where a month's counter is missing.
pub(super) async fn reserve(
    book: &Book,
    seeder: &Seeder,
    demand: &Demand,
    share: Share,
) -> Result<(Charge, Standing), Refusal> {
    let mut last = None;
    // Each subject is asked for once, and once more if the month ends meanwhile.
    for _ in 0..=2 * demand.subjects.len() {
        match book.reserve(demand, share) {
            Decision::Admitted(admitted) => return Ok(admitted),
            Decision::Refused(refusal) => return Err(refusal),
            Decision::Unseeded(subject, month) => {
                let Some(tokens) = seeder.spent(&subject, month).await else {
                    return Err(unknown_budget(&subject));
                };
                book.seed(&subject, month, tokens);
                last = Some(subject);
            }
        }
    }
    Err(unknown_budget(last.as_ref().unwrap_or(&demand.subjects[0])))
}

/// What is left; `None` when the month's tokens cannot be known now.
pub(super) async fn standing(
    book: &Book,
    seeder: &Seeder,
    subject: &Subject,
    share: Share,
) -> Option<Standing> {
    if let Some(standing) = book.standing(subject, share) {
        return Some(standing);
    }
    let month = book.now().month;
    let tokens = seeder.spent(subject, month).await?;
    book.seed(subject, month, tokens);
    book.standing(subject, share)
}
