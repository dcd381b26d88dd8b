/* bitstream_build.h - binaries of bitstreams/manifest.yaml made from the sources in hls/.
 *
 * What an OpenCL platform's own compiler can make (flow opencl; flow intel, target emulation) is
 * made here; for the others what v++ and aoc are given (hls/bitstreams.sh calls them). */
#ifndef OMT_EXEC_BITSTREAM_BUILD_H
#define OMT_EXEC_BITSTREAM_BUILD_H

#include "exec/bitstream.h"

/* Compiles each op of the entry from its source in `sources` on the first device that the entry
 * fits, links them, checks that all kernels it names are there with the contract's arguments, and
 * writes the entry's file. A warning is an error. Whole or not at all. */
omt_status omt_bitstream_compile(const omt_bitstreams *all, const omt_bitstream *entry,
                                 const char *sources, omt_error *err);

/* Writes into `folder`, which is made, all that the vendor's tools take, and build.sh, which calls
 * them and leaves the entry's file there:
 *   intel hw   <op>[_<unit>].cl for aoc
 *   xrt        <op>.c and <op>.cfg for v++ -c --mode hls, link.cfg for v++ -l: units and banks */
omt_status omt_bitstream_recipe(const omt_bitstreams *all, const omt_bitstream *entry,
                                const char *sources, const char *folder, omt_error *err);

/* Whether v++ takes the entry's kernels: 15 ports on a bank at most, where it would say so after
 * all kernels were synthesized. Else OMT_UNSUPPORTED. */
omt_status omt_bitstream_ports_check(const omt_bitstream *entry, omt_error *err);

#endif
