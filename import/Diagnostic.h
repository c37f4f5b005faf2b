// The error class, shared with the trainer: see halfstep/diagnostic.hpp.
#ifndef HALFSTEP_IMPORT_DIAGNOSTIC_H
#define HALFSTEP_IMPORT_DIAGNOSTIC_H

#include "halfstep/diagnostic.hpp"

#endif // HALFSTEP_IMPORT_DIAGNOSTIC_H
