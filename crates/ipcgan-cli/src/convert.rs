//! `ipcgan convert`: weights in, the same weights in another form out.

use anyhow::{Result, bail};
use ipcgan::Device;
use ipcgan::model::weights::{self, Network};
use ipcgan::model::{AlexNet, Discriminator, Generator};

use crate::answer;
use crate::arguments::ConvertArguments;

pub(crate) fn run(arguments: &ConvertArguments) -> Result<()> {
    match weights::kind(&arguments.from)?.as_str() {
        Generator::KIND => convert::<Generator>(arguments)?,
        Discriminator::KIND => convert::<Discriminator>(arguments)?,
        AlexNet::KIND => convert::<AlexNet>(arguments)?,
        other => bail!("{}: holds a network called {other}, which is none of ours", arguments.from.display()),
    }
    answer(&arguments.to.display().to_string());
    Ok(())
}

fn convert<N: Network>(arguments: &ConvertArguments) -> Result<()> {
    let found = weights::load::<N>(&arguments.from, &Device::flex())?;
    let save = if arguments.half { weights::save_half } else { weights::save };
    Ok(save(&found.network, &found.config, &found.age_groups, &arguments.to)?)
}
