//! Where requests come in: between two steps, and while one runs, so that an adapter's load begins when it is asked for and
//! not when a step has ended.

use std::collections::BTreeMap;

use crate::{
    active::{Active, Submission},
    error::AdapterRejection,
    residency::{Digest, Residency, Waiter},
    runner::ResidentAdapter,
};

/// The parts of a [`Stepper`](super::Stepper) that a running step leaves alone.
pub(super) struct Intake<'a, A> {
    pub(super) requests: &'a mut BTreeMap<u64, Active<A>>,
    pub(super) residency: &'a mut Residency<A>,
    pub(super) arrivals: &'a mut u64,
}

impl<A: ResidentAdapter> Intake<'_, A> {
    /// Takes a request in, and returns its number.
    pub(super) fn accept(&mut self, submission: Submission) -> u64 {
        let request = Active::new(submission);
        let adapter = request.submission.adapter.as_ref();
        let resident = adapter.is_none_or(|files| self.residency.arrived(&files.digest));
        request.submission.progress.arrived(resident);
        let number = *self.arrivals;
        self.requests.insert(number, request);
        *self.arrivals += 1;
        number
    }

    /// Takes in the requests and the adapters that have come since, and begins the loads that have room. Returns what
    /// cannot be loaded.
    pub(super) fn meanwhile(
        &mut self,
        inbox: &mut dyn FnMut() -> Option<Submission>,
    ) -> Vec<(Digest, AdapterRejection)> {
        let loading = self.residency.loading();
        let mut faulty = self.residency.settle();
        let mut missing = self.residency.loading() < loading;
        while let Some(submission) = inbox() {
            let files = submission.adapter.as_ref().map(|files| files.digest);
            let (tenant, weight) = (submission.owner.domain, submission.weight);
            let request = self.accept(submission);
            let waiter = Waiter { request, tenant, weight };
            // One that is out of service is told so at the next step.
            missing |= files.is_some_and(|digest| self.residency.want(&digest, waiter) == Ok(false));
        }
        if missing {
            let requests = &*self.requests;
            faulty.extend(
                self.residency.start_loads(|number| requests.get(&number)?.submission.adapter.as_ref()),
            );
        }
        faulty
    }
}
