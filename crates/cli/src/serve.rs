//! `cupel serve`: this machine's device for another machine.

use std::net::{IpAddr, TcpListener};

use anyhow::{Context, Result};
use clap::Args;
use cupel::train::{device, remote};

use crate::{Ending, options::Options, output::Output};

/// Serve the device of this machine; others use it as --device remote:ws://HOST:PORT
#[derive(Args)]
pub struct Arguments {
    /// Where to listen; 0.0.0.0 for every network, which then has to be one that you trust
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    address: IpAddr,

    /// The port
    #[arg(long, value_name = "PORT", default_value_t = 3000)]
    port: u16,

    #[command(flatten)]
    options: Options,
}

impl Arguments {
    /// Serves until a signal.
    ///
    /// # Errors
    /// A device that is not there, an address or a port that cannot be had.
    pub fn run(self) -> Result<Ending> {
        self.options.apply()?;
        let output = Output::new(&self.options);
        let device = self.options.select_device()?;
        let place = format!("{}:{}", self.address, self.port);
        let listener = TcpListener::bind((self.address, self.port)).with_context(|| format!("listening on {place}"))?;
        output.note(format_args!("serving {} ({}) at ws://{place}, until Ctrl-C", device.name, device.reason));
        remote::serve(&device.device, listener)?;
        Ok(Ending::Done)
    }
}
