//! The store's promises, each on SQLite and on Postgres, and what happens when a dependency goes away.

#[cfg(test)]
mod moto;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod services;
#[cfg(test)]
mod world;

/// Runs each function, which takes a `&World`, as one test on SQLite and one on Postgres.
#[cfg(test)]
macro_rules! on_both_databases {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(&crate::world::World::sqlite().await).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                if let Some(world) = crate::world::World::postgres().await {
                    super::$test(&world).await;
                }
            })+
        }
    };
}

#[cfg(test)]
mod adapters;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod concurrency;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod local_files;
#[cfg(test)]
mod migration;
#[cfg(test)]
mod outage;
#[cfg(test)]
mod pushes;
#[cfg(test)]
mod resumable;
#[cfg(test)]
mod retention;
#[cfg(test)]
mod rollouts;
#[cfg(test)]
mod row_security;
#[cfg(test)]
mod s3;
#[cfg(test)]
mod shared_cache;
#[cfg(test)]
mod sweep;
#[cfg(test)]
mod tenants;
#[cfg(test)]
mod uploads;
#[cfg(test)]
mod usage;
#[cfg(test)]
mod verify;
