//! The engine's thread: *drain → step*, until it is told to stop or nobody holds the engine any more.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError},
    time::Duration,
};

use tokio::sync::{oneshot, watch};

use crate::{
    active::Submission,
    residency::Digest,
    runner::Runner,
    stats::{Resident, Stats},
    step::{Progress, Stepper},
};

/// How long the thread sleeps while requests wait for readers or adapters: nothing tells it of a reader.
const WAITING_POLL: Duration = Duration::from_millis(2);

/// What the thread is told.
pub(crate) enum Command {
    /// A request.
    Submit(Box<Submission>),
    /// An adapter's load has ended.
    Wake,
    /// Put an adapter back into service.
    Enable(Box<Digest>),
    /// Tell which adapters are in memory.
    Residents(oneshot::Sender<Vec<Resident>>),
    /// End everything.
    Stop,
}

/// Runs steps until the end.
pub(crate) fn run<R: Runner>(
    mut stepper: Stepper<R>,
    commands: &Receiver<Command>,
    stats: &watch::Sender<Stats>,
) {
    let mut progress = Progress::Idle;
    // What came while a step ran, and was no request.
    let mut left = Vec::new();
    loop {
        for command in std::mem::take(&mut left).into_iter().chain(drain(commands, progress)) {
            match command {
                Command::Submit(submission) => stepper.accept(*submission),
                Command::Wake => {}
                Command::Enable(digest) => stepper.enable(&digest),
                // Whoever asked may be gone.
                Command::Residents(told) => _ = told.send(stepper.residents()),
                Command::Stop => return stepper.stop(),
            }
        }
        progress = stepper.step_with(&mut || next_request(commands, &mut left));
        stats.send_replace(stepper.stats());
    }
}

/// A request that came meanwhile.
fn next_request(commands: &Receiver<Command>, left: &mut Vec<Command>) -> Option<Submission> {
    commands.try_iter().find_map(|command| match command {
        Command::Submit(submission) => Some(*submission),
        other => {
            left.push(other);
            None
        }
    })
}

/// Everything that was sent by now; sleeps first when there is nothing else to do.
fn drain(commands: &Receiver<Command>, progress: Progress) -> Vec<Command> {
    let first = match progress {
        Progress::Worked => commands.try_recv().map_err(|error| error == TryRecvError::Disconnected),
        Progress::Waiting => {
            commands.recv_timeout(WAITING_POLL).map_err(|error| error == RecvTimeoutError::Disconnected)
        }
        Progress::Idle => commands.recv().map_err(|_| true),
    };
    match first {
        Ok(first) => std::iter::once(first).chain(commands.try_iter()).collect(),
        Err(true) => vec![Command::Stop],
        Err(false) => Vec::new(),
    }
}
