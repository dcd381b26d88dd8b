#include "index/mining.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define OMT_MINING_ROW(name, text, value) {text, value},
static const struct {
	const char *name;
	double value;
} methods[] = {OMT_MINING_LIST(OMT_MINING_ROW)};
#undef OMT_MINING_ROW

const char *omt_mining_name(omt_mining_method method)
{
	return methods[method].name;
}

static omt_status find_method(const char *name, omt_mining_method *method, omt_error *err)
{
	char expected[128] = "";
	*method = OMT_MINING_TOPK_PERCPOS;
	for (int i = 0; name && i < OMT_MINING_COUNT; i++) {
		const size_t used = strlen(expected);
		*method = (omt_mining_method)i;
		if (!strcmp(name, methods[i].name))
			return OMT_OK;
		snprintf(expected + used, sizeof expected - used, "%s%s", i ? ", " : "",
		         methods[i].name);
	}
	return name ? OMT_FAIL(err, BAD_ARGUMENT, "method is \"%.40s\", expected one of %s", name,
	                       expected)
	            : OMT_OK;
}

omt_status omt_mining_rule_make(const char *method, double value, int64_t skip, bool first_positive,
                                omt_mining_rule *rule, omt_error *err)
{
	*rule = (omt_mining_rule){.first_positive = first_positive};
	OMT_TRY(find_method(method, &rule->method, err));
	const bool limits = rule->method >= OMT_MINING_TOPK_ABS,
		   shifts = rule->method == OMT_MINING_TOPK_SHIFTED;
	const char *name = omt_mining_name(rule->method);
	if (skip >= 0 && !shifts)
		return OMT_FAIL(err, BAD_ARGUMENT, "%s skips no candidates: topk_shifted does",
		                name);
	if (!isnan(value) && !limits)
		return OMT_FAIL(err, BAD_ARGUMENT, "%s has no threshold", name);
	if (isinf(value))
		return OMT_FAIL(err, BAD_ARGUMENT, "threshold is %g", value);
	rule->value = isnan(value) ? methods[rule->method].value : value;
	if (shifts)
		rule->skip = skip < 0 ? OMT_MINING_SKIP : (size_t)skip;
	return OMT_OK;
}

double omt_mining_limit(const omt_mining_rule *rule, const float *positives, size_t count)
{
	double reference = (double)positives[0];
	for (size_t i = 1; i < count && !rule->first_positive; i++)
		reference = fmin(reference, (double)positives[i]);
	switch (rule->method) {
	case OMT_MINING_TOPK_ABS:
		return rule->value;
	case OMT_MINING_TOPK_MARGINPOS:
		return reference - rule->value;
	case OMT_MINING_TOPK_PERCPOS:
		return reference * rule->value;
	default:
		return INFINITY;
	}
}

bool omt_mining_excludes(const omt_mining_query *query, int64_t row)
{
	size_t low = 0, high = query->excluded_count;
	while (low < high) {
		const size_t middle = (low + high) / 2;
		if (query->excluded[middle] == row)
			return true;
		if (query->excluded[middle] < row)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

size_t omt_mining_pick(const omt_mining_query *query, const omt_neighbor *ranked, size_t count,
                       size_t wanted, omt_neighbor *kept)
{
	size_t skip = query->skip, picked = 0;
	for (size_t i = 0; i < count && picked < wanted; i++) {
		if (!((double)ranked[i].score <= query->limit) ||
		    omt_mining_excludes(query, ranked[i].row))
			continue;
		if (skip)
			skip--;
		else
			kept[picked++] = ranked[i];
	}
	return picked;
}
