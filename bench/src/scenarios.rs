//! What is measured, one scenario a file: *server → warm-up → runs → numbers*.

mod cold;
mod fair;
mod gateway;
mod mix;
mod pressure;
mod single;
mod soak;
mod uploads;
mod zipf;

use crate::{lab::Lab, machine::Machine, options::Scenario, report::Section, world::Stock};

/// Scenarios that share a server, and the adapters it has.
struct Visit {
    stock: Stock,
    scenarios: &'static [Scenario],
}

/// Everything that was asked for, as it is done; `finished` is told of each section.
pub(crate) async fn run(
    lab: &mut Lab,
    machine: &Machine,
    finished: &mut dyn FnMut(Section) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for Visit { stock, scenarios } in visits(lab) {
        let wanted: Vec<Scenario> =
            scenarios.iter().copied().filter(|scenario| lab.ground.options.wants(*scenario)).collect();
        if wanted.is_empty() {
            continue;
        }
        let world = lab.ground.open(&stock).await?;
        for scenario in wanted {
            let section = match scenario {
                Scenario::Mix => mix::run(lab, &world).await?,
                Scenario::Single => single::run(lab, &world, machine).await?,
                Scenario::Gateway => gateway::run(lab, &world).await?,
                Scenario::Uploads => uploads::run(lab, &world).await?,
                Scenario::Fair => fair::run(lab, &world).await?,
                Scenario::Cold => cold::run(lab, &world).await?,
                Scenario::Pressure => pressure::run(lab, &world, stock.resident).await?,
                Scenario::Soak => soak::run(lab, &world).await?,
                Scenario::Zipf1000 => zipf::run(lab, &world, stock.resident).await?,
            };
            finished(section)?;
        }
    }
    Ok(())
}

/// The servers: one with room for every adapter, one with room for half of them, and one with a thousand.
fn visits(lab: &Lab) -> [Visit; 3] {
    let options = &lab.ground.options;
    let ranks: Vec<usize> = (0..options.adapters()).map(|adapter| options.rank(adapter)).collect();
    let half = ranks.len() / 2;
    let all = ranks.len();
    [
        Visit {
            stock: Stock { ranks: ranks.clone(), resident: all },
            scenarios: &[
                Scenario::Mix,
                Scenario::Single,
                Scenario::Fair,
                Scenario::Gateway,
                Scenario::Uploads,
            ],
        },
        Visit {
            stock: Stock { ranks, resident: half },
            scenarios: &[Scenario::Cold, Scenario::Pressure, Scenario::Soak],
        },
        Visit { stock: zipf::stock(&lab.ground), scenarios: &[Scenario::Zipf1000] },
    ]
}
