/**
 * Host memory with a sentence when there is none, and the fault injection that tests it.
 */
#ifndef LAC_CORE_MEMORY_H
#define LAC_CORE_MEMORY_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

/**
 * Allocate `count * size` zeroed bytes; zero bytes give a valid, unique pointer.
 *
 * @param[out] out  a pointer variable (`void **`, passed as `&p`); freed with free(); untouched on
 * failure
 * @param what      what the memory is for, quoted in the message
 * @return LAC_OK; LAC_ENOMEM, also when the product overflows
 */
lac_status lac_alloc(void *out, size_t count, size_t size, const char *what);

/**
 * Resize memory that lac_alloc or this function gave; new bytes are not cleared.
 *
 * @param[in,out] inout  a pointer variable; on failure the old block stays as it was
 * @return LAC_OK; LAC_ENOMEM
 */
lac_status lac_realloc(void *inout, size_t count, size_t size, const char *what);

/**
 * Let the n-th allocation from now on fail (host or device buffer; 1 is the next), once; 0 switches
 * off. Exists only in builds with LAC_FAULTS; elsewhere it does nothing and returns false.
 */
int lac_fault_set(uint64_t nth);

/** What is left of the countdown: 0 once the allocation has failed, or where none was to fail. */
uint64_t lac_fault_left(void);

/** True when the allocation about to be made has to fail. Always false without LAC_FAULTS. */
int lac_fault_due(void);

/**
 * A moment at which tests let the process be killed: the n-th call ends it as SIGKILL does, n from
 * the environment variable LACUNA_KILL. Does nothing without LAC_FAULTS.
 */
void lac_fault_moment(void);

#endif
