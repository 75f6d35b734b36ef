//! Places under load, on a server that is none.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use super::*;

const REST: Duration = Duration::from_millis(40);

/// A server that holds so many, and says what is done to it.
#[derive(Default)]
struct Server {
    there: Mutex<BTreeSet<u8>>,
    most: AtomicUsize,
    loads: AtomicUsize,
    fails: AtomicUsize,
    stuck: AtomicUsize,
}

struct To {
    server: Arc<Server>,
    digest: Digest,
}

impl Carrier for To {
    async fn load(&self) -> Result<(), EngineError> {
        tokio::time::sleep(Duration::from_millis(2)).await;
        self.server.loads.fetch_add(1, Relaxed);
        if self.server.fails.load(Relaxed) > 0 {
            self.server.fails.fetch_sub(1, Relaxed);
            return Err(EngineError::Unavailable("no".into()));
        }
        let mut there = self.server.there.lock().unwrap();
        there.insert(self.digest[0]);
        self.server.most.fetch_max(there.len(), Relaxed);
        Ok(())
    }

    async fn unload(&self, digest: &Digest) -> Result<(), EngineError> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        if self.server.stuck.load(Relaxed) > 0 {
            self.server.stuck.fetch_sub(1, Relaxed);
            return Err(EngineError::Unavailable("no".into()));
        }
        self.server.there.lock().unwrap().remove(&digest[0]);
        Ok(())
    }
}

async fn lease(shelf: &Arc<Shelf>, server: &Arc<Server>, number: u8) -> Result<Lease, EngineError> {
    let digest = [number; 32];
    let to = Arc::new(To { server: Arc::clone(server), digest });
    shelf.acquire((digest, CacheDomain(1), 7), to).await
}

#[tokio::test]
async fn many_at_once_load_once_and_never_more_than_fit() {
    let (shelf, server) = (Shelf::new(4, REST), Arc::<Server>::default());
    let mut all = Vec::new();
    for turn in 0..400_u32 {
        let (shelf, server) = (Arc::clone(&shelf), Arc::clone(&server));
        all.push(tokio::spawn(async move {
            let number = (turn.wrapping_mul(2_654_435_761) >> 16) as u8 % 9;
            let held = lease(&shelf, &server, number).await.unwrap();
            assert!(server.there.lock().unwrap().contains(&number), "{number} is there while it is held");
            tokio::time::sleep(Duration::from_micros(u64::from(turn % 7) * 300)).await;
            assert!(server.there.lock().unwrap().contains(&number), "{number} stays while it is held");
            drop(held);
        }));
    }
    for one in all {
        one.await.unwrap();
    }
    assert!(server.most.load(Relaxed) <= 4);
    assert!(shelf.look().iter().all(|shelved| !shelved.in_use));
    let (shelf, server) = (Shelf::new(4, REST), Arc::<Server>::default());
    let (one, two) = tokio::join!(lease(&shelf, &server, 1), lease(&shelf, &server, 1));
    assert_eq!((one.unwrap().was_there(), two.unwrap().was_there()), (false, false));
    assert_eq!(server.loads.load(Relaxed), 1);
    assert!(lease(&shelf, &server, 1).await.unwrap().was_there());
}

#[tokio::test]
async fn what_was_not_used_for_the_longest_time_goes_first() {
    let (shelf, server) = (Shelf::new(2, REST), Arc::<Server>::default());
    for number in [1, 2, 1, 3] {
        lease(&shelf, &server, number).await.unwrap();
    }
    assert_eq!(*server.there.lock().unwrap(), BTreeSet::from([1, 3]));
    let held = lease(&shelf, &server, 1).await.unwrap();
    lease(&shelf, &server, 4).await.unwrap();
    assert_eq!(*server.there.lock().unwrap(), BTreeSet::from([1, 4]));
    drop(held);
}

#[tokio::test]
async fn who_finds_no_room_waits_for_it() {
    let (shelf, server) = (Shelf::new(1, REST), Arc::<Server>::default());
    let held = lease(&shelf, &server, 1).await.unwrap();
    let waiting = tokio::spawn({
        let (shelf, server) = (Arc::clone(&shelf), Arc::clone(&server));
        async move { lease(&shelf, &server, 2).await.map(drop) }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!waiting.is_finished());
    drop(held);
    waiting.await.unwrap().unwrap();
    assert_eq!(*server.there.lock().unwrap(), BTreeSet::from([2]));
}

#[tokio::test]
async fn a_load_that_fails_is_tried_again_after_a_rest() {
    let (shelf, server) = (Shelf::new(1, REST), Arc::<Server>::default());
    server.fails.store(1, Relaxed);
    assert!(lease(&shelf, &server, 1).await.is_err());
    assert!(shelf.look().is_empty());
    assert!(lease(&shelf, &server, 1).await.is_err(), "at once it would fail again");
    assert_eq!(server.loads.load(Relaxed), 1);
    tokio::time::sleep(2 * REST).await;
    lease(&shelf, &server, 1).await.unwrap();
}

#[tokio::test]
async fn what_others_loaded_is_loaded_again_and_counts() {
    let (shelf, server) = (Shelf::new(2, REST), Arc::<Server>::default());
    server.there.lock().unwrap().extend([8, 9]);
    shelf.compare(&HashSet::new(), &HashSet::from([[8; 32], [9; 32]]));
    lease(&shelf, &server, 8).await.unwrap();
    assert_eq!(server.loads.load(Relaxed), 1, "a name is not trusted that this process did not load");
    assert_eq!(*server.there.lock().unwrap(), BTreeSet::from([8, 9]));
    let _held = lease(&shelf, &server, 8).await.unwrap();
    lease(&shelf, &server, 1).await.unwrap();
    assert_eq!(*server.there.lock().unwrap(), BTreeSet::from([1, 8]), "another's went");
}

#[tokio::test]
async fn what_could_not_be_unloaded_is_still_not_trusted() {
    let (shelf, server) = (Shelf::new(1, REST), Arc::<Server>::default());
    server.there.lock().unwrap().insert(9);
    server.stuck.store(1, Relaxed);
    shelf.compare(&HashSet::new(), &HashSet::from([[9; 32]]));
    // Another's is in the way, and does not go at once.
    let waiting = tokio::spawn({
        let (shelf, server) = (Arc::clone(&shelf), Arc::clone(&server));
        async move { lease(&shelf, &server, 1).await.map(drop) }
    });
    let tried = async {
        while server.stuck.load(Relaxed) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), tried).await.unwrap();
    lease(&shelf, &server, 9).await.unwrap();
    assert!(server.loads.load(Relaxed) >= 1, "it is loaded before it is used");
    waiting.await.unwrap().unwrap();
    assert_eq!(*server.there.lock().unwrap(), BTreeSet::from([1]));
}

#[tokio::test]
async fn a_server_that_begins_anew_is_told_everything_again() {
    let (shelf, server) = (Shelf::new(2, REST), Arc::<Server>::default());
    let before = lease(&shelf, &server, 1).await.unwrap();
    server.there.lock().unwrap().clear();
    shelf.forget_all();
    let after = lease(&shelf, &server, 1).await.unwrap();
    assert!(!after.was_there());
    drop(before);
    assert!(shelf.look()[0].in_use, "a lease from before says nothing of now");
    server.there.lock().unwrap().clear();
    shelf.compare(&HashSet::new(), &HashSet::new());
    assert_eq!(shelf.look().len(), 1, "it came after the server was asked");
    shelf.compare(&HashSet::from([[1; 32]]), &HashSet::new());
    assert!(shelf.look().is_empty(), "what the server does not have is not there");
    drop(after);
    lease(&shelf, &server, 1).await.unwrap();
    assert_eq!(server.loads.load(Relaxed), 3);
}

#[tokio::test]
async fn what_was_loaded_is_used_before_it_goes() {
    let (shelf, server) = (Shelf::new(1, REST), Arc::<Server>::default());
    let one = async |number| {
        let held = lease(&shelf, &server, number).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
        drop(held);
    };
    for _ in 0..5 {
        tokio::join!(one(1), one(2), one(3));
    }
    // The last of a round may be the first of the next.
    let loads = server.loads.load(Relaxed);
    assert!((11..=15).contains(&loads), "{loads} loads for 15 uses");
}
