/* xml.h - a pull reader for the XML that describes a container's kernels (EMBEDDED_METADATA).
 *
 * Elements, attributes, comments, CDATA and processing instructions; of entities the five named
 * ones and characters by number. Text between elements is passed over. A document type is refused:
 * nothing that Vitis writes has one. Nesting is checked, depth is bounded. */
#ifndef OMT_HLS_DEVICE_MODEL_XML_H
#define OMT_HLS_DEVICE_MODEL_XML_H

#include <stddef.h>

#include "base/status.h"

enum { OMT_XML_DEPTH = 32 };

typedef enum omt_xml_kind {
	OMT_XML_OPEN,  /* <name ...> or <name .../>, which is closed by the next step */
	OMT_XML_CLOSE, /* </name> */
	OMT_XML_END,   /* of the document: everything was closed */
} omt_xml_kind;

typedef struct omt_xml_slice {
	const char *text;
	size_t bytes;
} omt_xml_slice;

typedef struct omt_xml {
	const char *place;              /* for errors; borrowed */
	const char *at;                 /* rest of the text; borrowed */
	size_t bytes, line;             /* left; of `at`, from 1 */
	omt_xml_slice name, attributes; /* of the element at hand */
	omt_xml_slice open[OMT_XML_DEPTH];
	size_t depth;
	bool empty; /* the element at hand is closed by its own tag */
} omt_xml;

void omt_xml_start(omt_xml *xml, const char *place, const char *text, size_t bytes);
omt_status omt_xml_next(omt_xml *xml, omt_xml_kind *kind, omt_error *err);
bool omt_xml_is(const omt_xml *xml, const char *name);

/* The attribute's value, entities resolved, as a string of fewer than `limit` bytes; *found says
 * whether the element has it (value is empty then). */
omt_status omt_xml_text(const omt_xml *xml, const char *name, char *value, size_t limit,
                        bool *found, omt_error *err);
/* The same as a number from 0 to `high`, decimal or 0x...; an attribute that is absent or empty
 * leaves *value as it was. */
omt_status omt_xml_number(const omt_xml *xml, const char *name, uint64_t high, uint64_t *value,
                          omt_error *err);

#endif
