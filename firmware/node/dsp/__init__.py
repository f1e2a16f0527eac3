"""Integer signal processing on blocks of int16 samples.

stats.py   sum, exact sum of squares, peak, and from them mean, RMS and peak about the mean (viper)
twin.py    the same functions in plain Python: the definition of the right answer, and what CPython runs
moments.py            kurtosis and skewness; moments_twin.py
envelope.py           RMS and peak of the envelope above 500 Hz; envelope_twin.py, and envelope_state.py for its filters
decimate.py           slows a stream down to about 3 kHz without aliases; decimate_twin.py
fft.py                complex FFT and the one of real samples; fft_twin.py
spectrum.py           record -> windowed spectrum -> velocity power, sums and peaks of it; spectrum_twin.py
velocity.py           velocity RMS, lines and bands from a stream of blocks, with the kernels above (plain)
features.py           everything a block says, in units, with all the kernels (plain)
orientation.py        which axis is up (plain)
word.py    refuses kernels built for another word size

A further kernel is a file of its own with a twin beside it, and obeys what the first ones do:

- It allocates nothing. Buffers come from the caller, results go through a block of int32 words.
- It is bit-exact with its twin on 32 bit, where it is meant to run, and right on 64 bit.
- A file whose result may depend on the word size carries the one line `_WORD_BITS = const(32)`. Viper's int is the
  machine word: 32 bits on every ESP32, 64 on a PC. The build writes 64 into that line when it compiles for a PC;
  code stands behind `if _WORD_BITS & 32:`, which the compiler folds, so a node carries no trace of the other branch.
"""
