//! `cupel serve`: this machine's device for another machine.

use std::{
    fmt,
    net::{IpAddr, TcpListener},
};

use anyhow::{Context, Result};
use clap::Args;
use cupel::train::remote;
use serde::Serialize;

use crate::{
    Command, Session,
    shared::{Device, Output, Shared},
};

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
    device: Device,

    #[command(flatten)]
    output: Output,
}

impl Command for Arguments {
    type Plan = Place;
    type Outcome = Place;

    fn shared(&self) -> Shared<'_> {
        Shared::new(&self.output).device(&self.device)
    }

    fn plan(&self, _: &Session) -> Result<Place> {
        let address = format!("{}:{}", self.address, self.port);
        let listener =
            TcpListener::bind((self.address, self.port)).with_context(|| format!("listening on {address}"))?;
        Ok(Place { address, listener: Some(listener) })
    }

    /// Serves until a signal.
    fn work(self, mut plan: Place, session: &mut Session) -> Result<Place> {
        let device = session.device()?;
        let (name, reason) = (&device.name, &device.reason);
        session.note(format_args!("serving {name} ({reason}) at ws://{}, until Ctrl-C", plan.address));
        if let Some(listener) = plan.listener.take() {
            remote::serve(&device.device, listener)?;
        }
        Ok(plan)
    }
}

/// Where the device is served.
#[derive(Serialize)]
pub struct Place {
    address: String,
    #[serde(skip)]
    listener: Option<TcpListener>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ws://{}", self.address)
    }
}
