//! Where the methods come from, for the page of a run.

use cupel_report::Report;

use crate::{Method, Spatial};

/// Where the methods come from: `method`, where it is no extractor, the prior of the abundances, and what all results rest on.
pub(crate) fn cite(report: &mut Report<'_>, method: Option<Method>, spatial: Spatial) {
    if spatial == Spatial::Tv {
        report.cite(
            "M.-D. Iordache, J. M. Bioucas-Dias, A. Plaza, Total variation spatial regularization for sparse hyperspectral unmixing, IEEE TGRS 50(11), 2012",
            "doi:10.1109/TGRS.2012.2191590",
        );
    }
    if let Some((text, locator)) = method.and_then(source) {
        report.cite(text, locator);
    }
    for (text, locator) in [
        (
            "A. Zouaoui et al., Entropic descent archetypal analysis for blind hyperspectral unmixing, IEEE TIP 32, 2023",
            "arXiv:2209.11002",
        ),
        (
            "J. M. P. Nascimento, J. M. Bioucas-Dias, Vertex component analysis, IEEE TGRS 43(4), 2005",
            "doi:10.1109/TGRS.2005.844293",
        ),
        ("M. E. Winter, N-FINDR, Proc. SPIE 3753, 1999", "doi:10.1117/12.366289"),
        (
            "N. Gillis, S. A. Vavasis, Fast and robust recursive algorithms for separable nonnegative matrix factorization, IEEE TPAMI 36(4), 2014",
            "arXiv:1208.1237",
        ),
        (
            "D. C. Heinz, C.-I Chang, Fully constrained least squares linear spectral mixture analysis, IEEE TGRS 39(3), 2001",
            "doi:10.1109/36.911111",
        ),
    ] {
        report.cite(text, locator);
    }
}

/// Where a comparison method comes from.
fn source(method: Method) -> Option<(&'static str, &'static str)> {
    match method {
        Method::Pmm => Some((
            "O. Hoidn, A. A. Mishra, A. Mehta, Probabilistic mixture model-based spectral unmixing, Applied Sciences 14, 4836, 2024",
            "doi:10.3390/app14114836",
        )),
        Method::LinearAe => Some((
            "B. Palsson et al., Hyperspectral unmixing using a neural network autoencoder, IEEE Access 6, 2018",
            "doi:10.1109/ACCESS.2018.2818280",
        )),
        Method::Cnnaeu => Some((
            "B. Palsson et al., Convolutional autoencoder for spectral-spatial hyperspectral unmixing, IEEE TGRS 59(1), 2021",
            "doi:10.1109/TGRS.2020.2992743",
        )),
        Method::Misicnet => Some((
            "B. Rasti et al., MiSiCNet: minimum simplex convolutional network for deep hyperspectral unmixing, IEEE TGRS 60, 2022",
            "doi:10.1109/TGRS.2022.3146904",
        )),
        Method::Deeptrans => Some((
            "P. Ghosh et al., Hyperspectral unmixing using transformer network, IEEE TGRS 60, 2022",
            "arXiv:2203.17076",
        )),
        Method::Sunsal => Some((
            "J. M. Bioucas-Dias, M. A. T. Figueiredo, Alternating direction algorithms for constrained sparse regression, WHISPERS 2010",
            "arXiv:1002.4527",
        )),
        _ => None,
    }
}
