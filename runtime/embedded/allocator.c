/* The allocator of instances whose caller gives none. */
#include "instance.h"

#include <stdlib.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20 };

static void *allocate(void *user, size_t bytes, size_t alignment) {
  size_t aligned = bytes >= 2 * (size_t)HUGE_PAGE ? (size_t)HUGE_PAGE : alignment;
  if (bytes > SIZE_MAX - aligned)
    return NULL;
  size_t rounded = (bytes + aligned - 1) / aligned * aligned; /* aligned_alloc asks for a multiple */
  void *memory = aligned_alloc(aligned, rounded);
  if (memory && aligned == HUGE_PAGE)
    madvise(memory, rounded, MADV_HUGEPAGE); /* only advice: failure costs speed alone */
  return memory;
}

static void release(void *user, void *memory, size_t bytes) { free(memory); }

const hs_allocator hs_default_allocator = {allocate, release, NULL};
