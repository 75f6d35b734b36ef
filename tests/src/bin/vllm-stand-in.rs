//! The stand-in for vLLM as a process, to be killed: `vllm-stand-in 127.0.0.1:8000`.

use std::io::Write;

use tenora_tests::vllm::StandIn;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let stand_in = StandIn::start(&address, None);
    writeln!(std::io::stdout(), "{}", stand_in.url())?;
    std::future::pending().await
}
