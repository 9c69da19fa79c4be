//! Laws of power spectra and of what compares skies, and their numbers on a published comparison.

mod spectra {
    mod angles;
    mod delays;
    mod evaluation;
    mod gaussian;
    mod identities;
    mod injection;
    mod published;
    mod shown;
    mod skies;
}
