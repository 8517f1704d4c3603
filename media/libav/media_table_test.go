package libav

// clips is the review of ../shared/media/open, one by one. The baseline is what
// ffmpeg 5.1 decodes (the last column of its MANIFEST.tsv); where a row differs
// from it, a comment says why. All tracks of a ladder cover the same time, so
// aac includes silence up to the last picture, and doubled the last picture
// held up to the end of the sound, where that is more than a frame.
func clips() []clip {
	return []clip{
		// Baseline: 720. The sound lasts 36 ms longer than the pictures, less than a frame.
		{file: "long_bbb_720p24_vp8_vorbis_30s.webm", probe: "vp8 1280x720@24", audio: 1, frames: 720, aac: 1408},
		{file: "long_mix_720p25_h264_aac.mp4", probe: "h264 1280x720@25", audio: 1, frames: 787, aac: 1476},
		{file: "wave_croatia_1080p25_qr.mp4", probe: "h264 1920x1080@25", audio: 1, frames: 50, aac: 93},
		{file: "flower_540p2997_h264_aac.mp4", probe: "h264 960x540@30000/1001", audio: 1, frames: 150, aac: 237},
		// Baseline: 61 decode. The file is cut in mid-GOP: two pictures before the last one are missing, and the one before is held for them.
		{file: "lecture_720p5994.mts", probe: "h264 1280x720@60000/1001", frames: 63, doubled: 2, notes: []string{"no audio decodes: the ladder is video only"}},
		{file: "avchd_1080i50_sony_a7m3.mts", probe: "h264 1920x1080@25 interlaced", audio: 1, frames: 13, aac: 26, notes: []string{"(hdmv_pgs_subtitle) is made of pictures: left out", "interlaced pictures are deinterlaced"}},
		// Baseline: 71 decode, to 3.92 s. The cut begins in mid-GOP: sound leads the first whole picture by 0.99 s, and 2 pictures are missing later.
		{file: "dvb_576i25_mpeg2_news_cut.ts", probe: "mpeg2video 704x576@25 interlaced sar16:11", audio: 1, frames: 98, doubled: 27, aac: 184, notes: []string{"is made of pictures: left out", "interlaced pictures are deinterlaced", "in the video: 1; what decodes is shown"}},
		// Baseline: 107 decode (111 with its own filling), to 5.44 s. Sound leads the first picture by 1.11 s (28 frames), a lost picture is one more.
		{file: "dvb_576i25_h264_eac3_losses_cut.ts", probe: "h264 720x576@25 interlaced sar16:11", audio: 1, frames: 136, doubled: 29, aac: 255, notes: []string{"is made of pictures: left out", "interlaced pictures are deinterlaced", "in the video: 10; what decodes is shown", "in the audio: 12; what decodes is shown"}},
		// Baseline: 125. See TestFieldsBecomePictures for the grid of 50.
		{file: "svt_576i25_tff_mpeg2_mp2.ts", probe: "mpeg2video 720x576@25 interlaced sar64:45", audio: 1, frames: 125, aac: 235, notes: []string{"interlaced pictures are deinterlaced"}},
		{file: "tos_360p24_pts_rollover.ts", probe: "h264 640x360@24", audio: 1, frames: 288, aac: 563},
		{file: "foreman_720p23976_hevc_opengop.mp4", probe: "hevc 1280x720@24000/1001", frames: 248, notes: []string{"no audio decodes: the ladder is video only"}},
		{file: "hlg_hevc10_360p30.mov", probe: "hevc 640x360@30 hdr", audio: 1, frames: 30, aac: 47, notes: []string{"HDR pictures are tone-mapped to SDR for SDR rungs"}},
		{file: "hdr10_av1_portrait_720x1280_2997.mp4", probe: "av1 720x1280@30000/1001 hdr", audio: 1, frames: 127, aac: 199, notes: []string{"HDR pictures are tone-mapped to SDR for SDR rungs"}},
		// Baseline: 250. The first picture stands at 21 ms, the sound's priming at 0: one frame of lead.
		{file: "svt_720p50_h264_aac.mkv", probe: "h264 1280x720@50", audio: 1, frames: 251, doubled: 1, aac: 236},
		{file: "svt_testcard_720p50_8mono.mp4", probe: "h264 1280x720@50", audio: 8, frames: 500, aac: 469},
		// Baseline: 25, 80 to 100 ms apart. 12 is the slowest screen rate that shows every one; 4 places stay empty.
		{file: "fire_phone_vfr_rot180_720p.mp4", probe: "h264 1280x720@12 variable rot180", audio: 1, frames: 29, doubled: 4, aac: 114, notes: []string{"pictures are rotated upright by 180 degrees", "variable frame rate: put on a grid of 12 frames per second"}},
		{file: "iphone_portrait_rot90.mov", probe: "h264 568x320@30000/1001 rot90", audio: 1, frames: 62, aac: 97, notes: []string{"pictures are rotated upright by 90 degrees"}},
		{file: "bbb_540p60_vp9_vorbis51.webm", probe: "vp9 960x540@60", audio: 1, frames: 60, aac: 48},
		{file: "game_1080p60_missing_dts.ts", probe: "h264 1920x1080@60", frames: 120, notes: []string{"no audio decodes: the ladder is video only"}},
		// Baseline: 250. Sound leads by 80 ms: B frames push the first picture back, as RTMP encoders do.
		{file: "bbb_360p25_rtmp.flv", probe: "h264 640x360@25", audio: 1, frames: 252, doubled: 2, aac: 473},
		// Baseline: 166, 5.57 s. The sound lasts 38 ms longer.
		{file: "lego_320p30.mkv", probe: "h264 560x320@30", audio: 1, frames: 168, doubled: 2, aac: 262},
		// Baseline: 240, 10.12 s: sound leads by 119 ms.
		{file: "sintel_cea608_170p24.ts", probe: "h264 400x170@24", audio: 1, frames: 243, doubled: 3, aac: 475},
		{file: "hls_cea608/manifest.m3u8", refusal: []string{`is an HLS playlist, and playlists are not opened as sources`, `give the media file itself`}},
		{file: "hls_cea608/sd-hls.m3u8", refusal: []string{`is an HLS playlist, and playlists are not opened as sources`, `give the media file itself`}},
		// Baseline: 58, 2.50 s: the first two pictures are 3 frames apart.
		{file: "hls_cea608/sd-hls0000000000.ts", probe: "h264 640x360@24", audio: 1, frames: 60, doubled: 2, aac: 118},
		// Baseline: 325 of the other, smaller track. The container's 16.57 s are those of the subtitles, 13.06 s are sound and pictures.
		{file: "nasa_2video_2audio_2subs.mp4", probe: "h264 480x270@30000/1001", audio: 2, frames: 390, aac: 612, notes: []string{"2 video tracks: the largest one (480x270, stream 3) is encoded"}},
		{file: "bbb_720p25_aac51.mp4", probe: "h264 1280x720@25", audio: 1, frames: 132, aac: 249},
		{file: "bbb_240p24_sar43.mp4", probe: "h264 320x240@24 sar4:3", audio: 1, frames: 238, aac: 465},
		{file: "chaplin_360p25_longgop_mp3.mp4", probe: "h264 640x360@25", audio: 1, frames: 241, aac: 452},
		{file: "bottles_360p_longgop_40s_videoonly.mp4", probe: "h264 640x360@179/6", frames: 1189, notes: []string{"no audio decodes: the ladder is video only"}},
		// Baseline: 152, 5.10 s: one picture is missing in the source.
		{file: "train_360p30.ts", probe: "h264 640x360@30", audio: 1, frames: 153, doubled: 1, aac: 240},
		// Baseline: 152. As train_360p30.ts, of which it is made.
		{file: "train_missing_pts_2of3.ts", probe: "h264 640x360@30", audio: 1, frames: 153, doubled: 1, aac: 240, notes: []string{"most timestamps are missing: pictures are timed at 30 frames per second between those that are there", "pictures without a timestamp: 62;"}},
		// Baseline: 150, 5.03 s, 51 lines of errors.
		{file: "train_loss1pct_biterr1pct.ts", probe: "h264 640x360@30", audio: 1, frames: 151, doubled: 1, aac: 235, notes: []string{"in the video: 31; what decodes is shown", "in the audio: 6; what decodes is shown"}},
		// Baseline: 59, 2.00 s: one picture is missing in the source.
		{file: "live_duplicate_audio_dts_720p30.ts", probe: "h264 1280x720@30", audio: 1, frames: 60, doubled: 1, aac: 94},
		{file: "live_zero_frame.ts", probe: "-", audio: 1, aac: 79, notes: []string{"video stream 1 (h264) is announced, but no packet of it arrives: left out", "no video decodes: the ladder is audio only"}},
		{file: "pmt_lists_audio_but_none.ts", probe: "h264 388x300@15 sar237:235", frames: 134, notes: []string{"audio stream 1 (aac) is announced, but no packet of it arrives: left out", "no audio decodes: the ladder is video only"}},
		// Baseline: 240, the first of three parts. The others follow on other PIDs: 34 more pictures at 29.97 and 40 at 25 fps, put on the grid of 24.
		{file: "concat_reschange_ptsjump.ts", probe: "h264 400x170@24", audio: 1, frames: 310, doubled: 4, dropped: 8, aac: 606, notes: []string{"timestamps jump by 4981 s: joined without a gap", "the video goes on in another stream in mid-source: followed", "the audio goes on in another stream in mid-source: followed", "timestamps jump by -4911 s: joined without a gap", "in the audio: 1; what decodes is shown"}},
		{file: "friday_late_audio_3s5.ts", probe: "h264 640x480@30", audio: 1, frames: 185, aac: 290},
		// Baseline: 72, 3.09 s: the sound ends 0.7 s after the last picture, which is held.
		{file: "lateaudio_1s15.mp4", probe: "h264 400x300@30000/1001", audio: 1, frames: 93, doubled: 21, aac: 146},
		// Baseline: 270, 10.00 s: the pictures begin at 1 s, the sound at 0.
		{file: "edit_list_positive_shift_1080p30.mp4", probe: "h264 1920x1080@30", audio: 1, frames: 300, doubled: 30, aac: 469},
		// Baseline: 9.98 s. The 22.99 s are an estimate from the bitrate of the first frames.
		{file: "audioonly_adts.aac", probe: "-", audio: 1, aac: 469, notes: []string{"no video decodes: the ladder is audio only", "the container promises 22.99 s, 9.98 s decode"}},
		{file: "audioonly_15s.mp4", probe: "-", audio: 1, aac: 704, notes: []string{"no video decodes: the ladder is audio only"}},
		{file: "audioonly_aac.ts", probe: "-", audio: 1, aac: 470, notes: []string{"no video decodes: the ladder is audio only"}},
		{file: "odd_518x488_watch.mp4", probe: "h264 518x488@7500/251", audio: 1, frames: 167, aac: 262},
		{file: "tall_16x4000.ts", probe: "h264 16x4000@30", frames: 30, notes: []string{"no audio decodes: the ladder is video only"}},
		{file: "vp9_portrait_opus.webm", probe: "vp9 360x640@30", audio: 1, frames: 240, aac: 375},
		// Baseline: 3, 0.10 s; 0.83 s is where the last SCTE-35 packet lies.
		{file: "scte35_mpeg2.ts", probe: "mpeg2video 640x426@30000/1001", audio: 1, frames: 3, aac: 5, notes: []string{"the container promises 0.83 s, 0.11 s decode"}},
		// Baseline: 280. The sound ends 34 ms after the last picture, less than a frame.
		{file: "fails_audio_near_end.mp4", probe: "h264 640x360@25", audio: 1, frames: 280, aac: 527},
		// Baseline: 30, 1.08 s: the sound ends 88 ms after the last picture.
		{file: "mdat_too_long.mp4", probe: "h264 1080x720@30000/1001", audio: 1, frames: 33, doubled: 3, aac: 52},
		{file: "truncated_no_moov.mp4", refusal: []string{`not a media file that can be read`, `has lost its index (moov)`}},
		// Baseline: 55, 1.83 s.
		{file: "truncated_mdat.mp4", probe: "h264 960x540@30000/1001", audio: 1, frames: 55, aac: 87, notes: []string{"in the video: 1; what decodes is shown", "the container promises 5.05 s, 1.84 s decode"}},
		// Baseline: rc 0, but no frame.
		{file: "crash_timescale0.mp4", refusal: []string{`nothing in source`, `none of its 6 packets decodes`, `give another copy`}},
		// Baseline: 1, at 4.00 s. One damaged picture, and sound from 0 that leads it: held over all of it.
		{file: "crash_1257700_2873x5115.webm", probe: "vp9 360x640@25", audio: 1, frames: 101, doubled: 100, aac: 190, notes: []string{"in the video: 2; what decodes is shown", "the container promises 7.97 s, 4.04 s decode"}},
		// Baseline: 0.01 s of sound. It decodes, and what is missing is said.
		{file: "crash_webm_corrupt.webm", probe: "-", audio: 1, aac: 1, notes: []string{"no video decodes: the ladder is audio only", "the container promises 3.90 s, 0.01 s decode"}},
		{file: "crash_789075_9841x705.webm", probe: "vp8 9841x705@30", frames: 1, notes: []string{"no audio decodes: the ladder is video only"}},
		{file: "encrypted_cenc.mp4", refusal: []string{`is encrypted`, `video stream 0 (h264): encrypted`, `audio stream 1 (aac): encrypted`, `give a copy without encryption`}},
		{file: "zero_length_segment_tables_only.ts", refusal: []string{`nothing in source`, `video stream 0 (h264) is announced, but no packet of it arrives`, `audio stream 1 (aac) is announced`}},
		{file: "mkv_named.mp4", probe: "vp9 642x642@30", frames: 90, notes: []string{"no audio decodes: the ladder is video only"}},
		{file: "ts_named.mp4", probe: "h264 854x480@30", frames: 30, notes: []string{"no audio decodes: the ladder is video only"}},
		{file: "-video-with-dash-.mp4", probe: "h264 1x1@1", frames: 5, notes: []string{"no audio decodes: the ladder is video only"}},
		// Baseline: 150 in the first 5 s, 362.77 s in all. Stopped after two segments here.
		{file: "long_1080p30_6min_black_videoonly.mp4", probe: "h264 1920x1080@30", frames: 10883, notes: []string{"no audio decodes: the ladder is video only"}},
		{file: "zero_length.mp4", refusal: []string{`is empty (0 bytes)`}},
		{file: "zeros_64k.mp4", refusal: []string{`begins with nothing but zero bytes`}},
		{file: "html_error_named.ts", refusal: []string{`is an HTML page, not media ("404 Not Found")`}},
	}
}
