#include "model/spread.h"

#include <math.h>

#include "exec/backend.h"

/* A device takes its next batch when what it has lasts no longer than this part of that one. */
#define AHEAD 0.25
/* Weight of the latest batch in a device's speed. */
#define LATEST 0.5

/* A device that was not measured counts as one of the others. */
static double usual_speed(const omt_share *shares, int32_t count)
{
	double sum = 0;
	int32_t known = 0;
	for (int32_t i = 0; i < count; i++)
		if (!shares[i].lost && shares[i].speed > 0) {
			sum += shares[i].speed;
			known++;
		}
	return known ? sum / known : 1;
}

/* Seconds until a device is done with what it has. */
static double wait_s(const omt_share *share, double speed, double now_s)
{
	double left = share->pending - speed * (now_s - share->since_s);
	return share->batches ? fmax(left, 0) / speed : 0;
}

int32_t omt_spread_choose(const omt_share *shares, int32_t count, double work, double left,
                          double now_s)
{
	const double usual = usual_speed(shares, count);
	double soonest_s = INFINITY, best_s = INFINITY; /* of all; of those that may take it */
	double speeds = 0, waiting = 0;
	int32_t best = -1, live = 0;
	for (int32_t i = 0; i < count; i++)
		live += !shares[i].lost;
	for (int32_t i = 0; i < count; i++) {
		const omt_share *share = &shares[i];
		const double speed = share->speed > 0 ? share->speed : usual;
		const double before_s = wait_s(share, speed, now_s), own_s = work / speed;
		if (share->lost)
			continue;
		soonest_s = fmin(soonest_s, before_s + own_s);
		speeds += speed;
		waiting += before_s * speed;
		if (share->batches >= share->room || (live > 1 && before_s > AHEAD * own_s))
			continue;
		if (before_s + own_s < best_s) {
			best_s = before_s + own_s;
			best = i;
		}
	}
	if (best < 0 || live == 1 || best_s <= soonest_s)
		return best;
	/* Another one would have this batch done sooner, but has no room yet. Is there so much left
	 * that the others are not done with all of it sooner, too? */
	const double speed = shares[best].speed > 0 ? shares[best].speed : usual;
	const double own_before = wait_s(&shares[best], speed, now_s) * speed;
	return best_s <= (left + waiting - own_before) / (speeds - speed) ? best : -1;
}

void omt_spread_take(omt_share *share, double work, double now_s)
{
	if (!share->batches++)
		share->since_s = now_s;
	share->pending += work;
}

void omt_spread_done(omt_share *share, double work, double took_s, double now_s)
{
	share->batches--;
	share->pending = share->batches ? fmax(share->pending - work, 0) : 0;
	share->since_s = now_s;
	if (took_s > 0 && work > 0) {
		const double speed = work / took_s;
		share->speed += (share->speed > 0 ? LATEST : 1) * (speed - share->speed);
	}
}

double omt_spread_work(const omt_batch *batch)
{
	const omt_text_config *text = &batch->config->text;
	const omt_vision_config *vision = &batch->config->vision;
	const omt_audio_config *audio = &batch->config->audio;
	const double hidden = text->hidden, width = vision->hidden, d = audio->d_model;
	const double heads = (double)text->heads * text->head_dim;
	const double kv = (double)text->kv_heads * text->head_dim;
	const double token =
		text->layers * (hidden * (2 * heads + 2 * kv) + 3 * hidden * text->inter);
	const double patch = vision->depth * (4 * width * width + 3 * width * vision->inter);
	const double place = audio->layers * (4 * d * d + 2 * d * audio->ffn);
	return 2 * (token * batch->tokens + patch * batch->patches + place * batch->convolved);
}
