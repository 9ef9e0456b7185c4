#include "portable.h" /* placeholder until the real one lands */
