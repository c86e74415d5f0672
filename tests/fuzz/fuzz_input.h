/* What the fuzz targets share: inputs as files, several files in one input, and what is
 * done with weights and tokenizers once they are open. */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stdbool.h>             /* bool */
#include <stddef.h>              /* size_t */
#include <stdint.h>              /* uint8_t */
#include <lmdepth/base/status.h> /* lmd_status */
#include <lmdepth/token.h>
#include <lmdepth/weights.h>

/* One input; libFuzzer calls it. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

typedef struct fuzz_bytes {
    const uint8_t *at;
    size_t n;
} fuzz_bytes;

/* The first byte of an input is a choice of 0 .. n - 1 and no part of the rest. */
unsigned int fuzz_choose(fuzz_bytes *input, unsigned int n);

/* What stands before the next line of "%%%%", which is taken away; all that is left when
 * there is none. */
fuzz_bytes fuzz_next_part(fuzz_bytes *input);

/* A zero-terminated copy; the caller's, by lmd_memory_free. */
char *fuzz_copy_text(fuzz_bytes part);

/* Was it read? With FUZZ_SAY in the environment, says so: do seeds come as far as they
 * should? */
bool fuzz_is_read(lmd_status status);

/* This process's folder in TMPDIR, else in /dev/shm, made when first asked for. */
const char *fuzz_folder(void);

/* Writes "<folder>/<name>" and returns the path, valid until the next but seven. */
const char *fuzz_write(const char *name, fuzz_bytes content);

/* The same for a safetensors file with this header: its length is put before it and all
 * the data that its numbers speak of behind it. Mutations hardly ever keep these two
 * right by chance. */
const char *fuzz_write_safetensors(const char *name, fuzz_bytes header);

/* Ends the program when a block of memory is live that was not at the last call. */
void fuzz_check_memory(void);

/* Opens weights; reads every key and, of tensors that are small, every value. */
void fuzz_read_weights(const char *path);

/* Encodes texts with a tokenizer, looks at each piece and closes it. */
void fuzz_use_tokenizer(lmd_tokenizer *tokenizer);

#endif
