"""Colours: as far as they are asked, in the light of the picture, and nowhere but on what they are asked for."""

from __future__ import annotations

import pytest
import torch
from kornia.color import lab_to_rgb
from torch import Tensor

from flow_core.editing.edit import make_field
from flow_core.editing.gates import COLOR_REGIONS, Gates, open_gates
from flow_core.editing.painting import RegionColors, means, missing_note, patches, repaint
from flow_core.editing.tints import COLORS, Tint, goal, named_tints
from flow_core.editing.visible import Seen, seen_in
from flow_core.faces.hair import resized
from flow_core.faces.landmarks import AT, EYES
from flow_core.faces.regions import region_mask
from flow_core.fields.new import new_field
from flow_core.geometry.crop import Crop
from flow_core.geometry.grid import pixel_centers
from flow_core.guides.guide import Guide
from flow_core.guides.prompts import Prompt
from flow_core.train.colors import to_lab
from flow_core.warping.warp import warp

SIZE = 192


def square(picture: Tensor, crop: Crop) -> tuple[Tensor, Tensor]:
    """The face square, and landmarks in it."""
    return crop.aligned(picture, SIZE), crop.places


def covered(picture: Tensor, crop: Crop, points: Tensor, radius: float, color: Tensor) -> Tensor:
    """The picture with discs of a colour about crop points ``[K,2]``, ``radius`` in fractions of the crop side."""
    ys, xs = torch.meshgrid(*(torch.arange(n) + 0.5 for n in picture.shape[2:]), indexing="ij")
    places = crop.to_crop(torch.stack([xs, ys], -1)[None])[0]
    near = ((places[:, :, None] - points).norm(dim=-1) < radius).any(-1)
    return torch.where(near, color[:, None, None], picture)


def seen(picture: Tensor, crop: Crop, name: str, places: Tensor | None = None) -> Tensor:
    aligned, found = square(picture, crop)
    return Seen(found if places is None else places, aligned, SIZE).region(name)


@pytest.mark.parametrize(
    ("text", "region", "lab"),
    [("black lips", "lips", "lips dark"), ("scarlet lips", "lips", "lips red"), ("dark eyebrows", "brows", "brows dark"),
     ("emerald eyes", "irises", "eyes green"), ("a woman with ginger hair", "hair", "hair red"), ("a pallid woman", "skin", "skin pale")],
)  # fmt: skip
def test_a_prompt_names_a_color_and_its_region(guide: Guide, text: str, region: str, lab: str) -> None:
    prompt = Prompt.parse(text)
    tints = named_tints(guide, prompt, open_gates(guide, prompt))
    assert region in tints
    meant = torch.tensor(COLORS[lab][1])
    others = [torch.tensor(c) for name, (r, c) in COLORS.items() if r == region and name != lab]
    named = torch.tensor(tints[region].lab)
    assert (named - meant).norm() < min((named - other).norm() for other in others)


def test_a_shape_names_no_color_and_weights_count(guide: Guide) -> None:
    smile, both = Prompt.parse("a smiling face"), Prompt.parse("red lips:0.5 | blue eyes:-1")
    assert not named_tints(guide, smile, open_gates(guide, smile))
    tints = named_tints(guide, both, open_gates(guide, both))
    assert tints["lips"].amount == pytest.approx(0.5, abs=0.05)
    assert tints["irises"].amount == pytest.approx(-1, abs=0.1)


@pytest.mark.parametrize("text", ["black lips", "dark eyebrows", "red lips"])
def test_colors_go_most_of_the_way(portraits: dict, crops: dict, guide: Guide, text: str) -> None:
    crop, photo = crops["grace_hopper"], portraits["grace_hopper"]
    prompt = Prompt.parse(text)
    field = make_field(photo, crop, guide, prompt, start=new_field(representation="raster"))
    assert not field.offset.any()
    assert field.meta["steps"] == 1  # what is named is not sought
    (name, tint), *_ = named_tints(guide, prompt, open_gates(guide, prompt)).items()
    mask = seen(photo, crop, name)
    mask = (mask > 0.9 * mask.max()).float()
    before, after = (to_lab(square(p, crop)[0]) for p in (photo, warp(photo, crop, field)[0]))
    skin = means(before, region_mask(crop.places, "skin", SIZE))[:, 0]
    there = goal(name, tint.lab, skin, skin.new_tensor([80.0]))
    far, left = ((means(x, mask)[:, 0] - there).norm() for x in (before, after))
    assert left < 0.4 * far


def test_a_grey_picture_is_in_no_blue_light() -> None:
    skin = torch.tensor([[65.0, 0.0, 0.0], [56.0, 14.0, 15.0], [56.0, 0.0, -25.0]])
    grey, white, blue = goal("hair", COLORS["hair grey"][1], skin, torch.full((3,), 80.0))
    assert (grey - white)[1:].norm() < 1
    assert blue[2] < white[2] - 5


def test_in_a_grey_picture_skin_is_tanned_in_grey_and_painted_in_colour() -> None:
    skin, light = torch.tensor([[65.0, 0.0, 0.0], [56.0, 14.0, 15.0]]), torch.full((2,), 80.0)
    for name in ("skin tanned", "skin pale", "skin dark"):
        grey, colored = goal("skin", COLORS[name][1], skin, light)
        assert grey[1:].norm() < 1 < 10 < colored[1:].norm()
        assert grey[0] == colored[0]
    for name in ("skin green", "skin blue", "skin red"):
        assert goal("skin", COLORS[name][1], skin, light)[:, 1:].norm(dim=1).min() > 25


def test_a_dim_face_gets_dim_lips(portraits: dict, crops: dict, guide: Guide) -> None:
    """In a third of the light red lips have a third of the light, and not the red of a bright picture."""
    crop, bright = crops["astronaut"], portraits["astronaut"]
    prompt, linear = Prompt.parse("red lips"), bright**2.2
    reds = []
    for picture in (bright, (0.3 * linear) ** (1 / 2.2)):
        field = make_field(picture, crop, guide, prompt, start=new_field(representation="raster"))
        after = square(warp(picture, crop, field)[0], crop)[0] ** 2.2
        mask = seen(picture, crop, "lips")
        reds.append(means(after, mask)[0, 0, 0])
    assert 0.18 < reds[1] / reds[0] < 0.45


def test_what_covers_the_lips_is_spared(astronaut: Tensor, crop: Crop) -> None:
    middle = crop.places[0, [AT[61], AT[291]]].mean(0, keepdim=True)
    lips = seen(astronaut, crop, "lips")
    left = seen(covered(astronaut, crop, middle, 0.12, torch.tensor([0.12, 0.12, 0.13])), crop, "lips")
    assert lips.sum() > 0.6 * region_mask(crop.places, "lips", SIZE).sum()
    assert left.sum() < 0.15 * lips.sum()


def test_teeth_are_no_lips(astronaut: Tensor, crop: Crop) -> None:
    """Where the network that finds landmarks takes teeth for lips, their colour tells."""
    lower = crop.places[0, [AT[17], AT[14]]].mean(0, keepdim=True)
    before = seen(astronaut, crop, "lips")
    after = seen(covered(astronaut, crop, lower, 0.02, torch.tensor([0.9, 0.88, 0.82])), crop, "lips")
    x, y = (lower[0] * SIZE).long().tolist()
    assert before[0, 0, y, x] > 0.7
    assert after[0, 0, y, x] < 0.2


def test_closed_and_hidden_eyes_keep_their_color(astronaut: Tensor, crop: Crop, guide: Guide) -> None:
    open_ = seen(astronaut, crop, "irises")
    assert open_.sum() > 0.5 * region_mask(crop.places, "irises", SIZE).sum()
    shut = crop.places.clone()
    for eye in EYES:  # the upper lid comes down
        upper, lower = ([AT[eye[i]] for i in part] for part in (range(9, 16), range(7, 0, -1)))
        shut[:, upper] = torch.lerp(shut[:, lower], shut[:, upper], 0.1)
    assert not seen(astronaut, crop, "irises", shut).any()
    eyes = crop.places[0, [AT[i] for eye in EYES for i in eye]]
    dark = covered(astronaut, crop, eyes, 0.06, torch.tensor([0.1, 0.1, 0.12]))
    for name in ("irises", "eyelids", "under-eyes"):
        assert not seen(dark, crop, name).any()
    field = make_field(dark, crop, guide, Prompt.parse("blue eyes"))
    assert "eyes are closed or covered" in field.meta["note"]
    assert torch.equal(warp(dark, crop, field)[0], dark)


def test_irises_are_found_where_they_are(astronaut: Tensor, crop: Crop) -> None:
    """Landmarks that lie beside an iris must not take the paint onto the white."""
    moved = crop.places.clone()
    for i in (468, 470, 472, 473, 475, 477):
        moved[:, AT[i], 0] += 0.012
    straight, found = seen(astronaut, crop, "irises"), seen(astronaut, crop, "irises", moved)
    assert (straight * found).sum() > 0.6 * straight.sum()


def hatted(picture: Tensor, crop: Crop) -> Tensor:
    """A hat of blue wool down to the brows, and over all that is hair."""
    points = crop.places[0]
    ys, xs = torch.meshgrid(*(torch.arange(n) + 0.5 for n in picture.shape[2:]), indexing="ij")
    places = crop.to_crop(torch.stack([xs, ys], -1)[None])[0]
    brow = points[[AT[105], AT[334]]].mean(0)
    above = (places[..., 1] < brow[1] - 0.03) & ((places - brow - places.new_tensor([0.0, 0.05])).norm(dim=-1) < 0.45)
    beside = (
        (places[..., 1] < points[:, 1].max() + 0.2)
        & ((places[..., 0] - 0.5).abs() > 0.27)
        & ((places[..., 0] - 0.5).abs() < 0.6)
    )
    wool = torch.tensor([0.2, 0.25, 0.5])[:, None, None] * (1 + 0.1 * torch.sin(150 * places[..., 0]))
    return torch.where(above | beside, wool, picture)


def test_a_hat_is_not_dyed(portraits: dict, crops: dict, guide: Guide) -> None:
    crop, photo = crops["astronaut"], portraits["astronaut"]
    assert seen(photo, crop, "hair").mean() > 0.05
    hat = hatted(photo, crop)
    field = make_field(hat, crop, guide, Prompt.parse("blond hair"))
    assert "no hair was found" in field.meta["note"].lower()
    assert torch.equal(warp(hat, crop, field)[0], hat)


def test_named_colors_are_the_same_however_an_edit_is_made(astronaut: Tensor, crop: Crop, guide: Guide) -> None:
    prompt, out = Prompt.parse("red lips"), []
    for options in ({}, {"start": new_field(representation="raster")}, {"method": "predict"}):
        out.append(warp(astronaut, crop, make_field(astronaut, crop, guide, prompt, **options))[0])
    assert (out[0] - out[1]).abs().max() < 0.02
    assert (out[0] - out[2]).abs().mean() < 0.1 * (out[0] - astronaut).abs().mean()  # it sees a smaller picture


def test_light_and_shade_stay(astronaut: Tensor, crop: Crop, guide: Guide) -> None:
    """A dark colour goes by a factor, so that what was light on the lips stays lighter."""
    aligned, places = square(astronaut, crop)
    prompt = Prompt.parse("black lips")
    gates = open_gates(guide, prompt)
    colors = RegionColors([gates], [named_tints(guide, prompt, gates)], places, aligned, (SIZE, SIZE), 0.5)
    inside = (colors.masks[0, 0] > 0.9).flatten()
    before = to_lab(aligned)[0, 0].flatten()[inside]
    after = to_lab((aligned + colors.raster()).clamp(0, 1))[0, 0].flatten()[inside]
    assert torch.corrcoef(torch.stack([before, after]))[0, 1] > 0.8
    assert after.std() < before.std()


def test_no_shift_is_no_color(astronaut: Tensor, crop: Crop) -> None:
    aligned, places = square(astronaut, crop)
    every = Gates({}, dict.fromkeys(COLOR_REGIONS, 1.0))
    raster = RegionColors([every], [{}], places, aligned, (SIZE, SIZE), 1.0).raster()
    assert raster.abs().max() < 1e-4


def dyed(light: float, goal_light: float, strand: float = 3.0, soft: float = 8.0) -> tuple[Tensor, Tensor]:
    """L ``[64,64]`` of a strip of skin above hair of ``light``, before and after the hair goes to ``goal_light``."""
    strands = light + strand * torch.sin(torch.arange(64) * 0.7).expand(1, 1, 64, 64)
    mask = ((torch.arange(64.0) - 8) / soft + 1).clamp(0, 1)[None, None, :, None].expand(1, 1, 64, 64)  # skin above
    lab = torch.cat([torch.lerp(torch.full_like(strands, 65.0), strands, mask), torch.zeros(1, 2, 64, 64)], 1)
    mean = torch.tensor([[[light, 0.0, 0.0]]])
    shift = torch.tensor([[[goal_light - light, 0.0, 0.0]]])
    picture = lab_to_rgb(lab)
    parts = patches(picture, mean, mask, ["hair"], 64)
    return lab[0, 0], to_lab(picture + repaint(parts, mean, shift, (64, 64), 1.0, ["hair"]))[0, 0]


@pytest.mark.parametrize(("light", "goal_light"), [(8.0, 50.0), (80.0, 48.0), (40.0, 42.0)])
def test_dyed_hair_keeps_its_strands(light: float, goal_light: float) -> None:
    """Black hair that turns blond, and white hair that turns dark, has strands, and skin at its border does not glow."""
    before, after = dyed(light, goal_light)
    hair, were = after[16:].flatten(), before[16:].flatten()
    assert torch.corrcoef(torch.stack([were, hair]))[0, 1] > 0.95
    assert hair.mean() == pytest.approx(goal_light, abs=4)
    assert 0.28 * were.std() < hair.std() < 5 * were.std()
    assert after[:8].max() < max(65.0, hair.max().item()) + 3
    assert after[:8].min() > min(before[:8].min().item(), hair.min().item()) - 5


def test_hair_goes_no_further_than_hair_can() -> None:
    """Black hair is not bleached to white, and white hair without strands does not become a black cap."""
    assert dyed(8.0, 90.0)[1][16:].mean() < 62
    assert dyed(90.0, 10.0, strand=0.2)[1][16:].mean() > dyed(90.0, 10.0, strand=6.0)[1][16:].mean() + 10


def test_bleached_brows_leave_the_skin_between_their_hairs() -> None:
    """It would glow; and the darkest hairs are bleached as well."""
    hairs = (torch.arange(64) % 2 == 0).expand(64, 64)
    light = torch.where(hairs, 20.0, 60.0)
    picture = lab_to_rgb(torch.cat([light[None, None], torch.zeros(1, 2, 64, 64)], 1))
    mean, mask = torch.tensor([[[40.0, 0.0, 0.0]]]), torch.ones(1, 1, 64, 64)
    parts = patches(picture, mean, mask, ["brows"], 64)
    painted = picture + repaint(parts, mean, torch.tensor([[[20.0, 0.0, 15.0]]]), (64, 64), 1.0, ["brows"])
    after = to_lab(painted)[0]
    assert (after - to_lab(picture)[0])[:, ~hairs].abs().max() < 0.5
    assert after[0][hairs].mean() > 34


def test_white_hair_is_toned_and_not_made_brown() -> None:
    light = 94 + 2 * torch.sin(torch.arange(64.0) * 0.7).expand(64, 64)
    picture = lab_to_rgb(torch.cat([light[None, None], torch.zeros(1, 2, 64, 64)], 1))
    mean, mask = torch.tensor([[[94.0, 0.0, 0.0]]]), torch.ones(1, 1, 64, 64)
    parts = patches(picture, mean, mask, ["hair"], 64)
    blond, brown = (
        to_lab(picture + repaint(parts, mean, torch.tensor([[by]]), (64, 64), 1.0, ["hair"]))[0, 0].mean()
        for by in ((-27.0, 8.0, 26.0), (-62.0, 10.0, 18.0))
    )
    assert 76 < blond < 88
    assert brown < 66


def test_fair_hair_has_ruddy_shade_and_pale_gloss() -> None:
    strands = 8 + 3 * torch.sin(torch.arange(96.0) * 0.7).expand(96, 96)
    picture = lab_to_rgb(torch.cat([strands[None, None], torch.zeros(1, 2, 96, 96)], 1))
    mean, mask = torch.tensor([[[8.0, 0.0, 0.0]]]), torch.ones(1, 1, 96, 96)
    parts = patches(picture, mean, mask, ["hair"], 96)
    after = to_lab(picture + repaint(parts, mean, torch.tensor([[[50.0, 7.0, 25.0]]]), (96, 96), 1.0, ["hair"]))[0]
    light, red = after[0].flatten(), after[1].flatten()
    dark, bright = (light < light.quantile(0.2)), (light > light.quantile(0.8))
    assert red[dark].mean() > 1.3 * red[bright].mean()
    assert red[bright].mean() > 0


def test_shorn_hair_is_dyed_as_far_as_it_hides_the_skin(astronaut: Tensor, crop: Crop) -> None:
    """A rim of hair on the skull that is on the way from black to the skin, and the same hair where it falls onto the shoulders."""
    aligned, places = square(astronaut, crop)
    seen = Seen(places, aligned, SIZE)
    points = pixel_centers(SIZE, SIZE)[0]
    skull, top = seen._skull()[0, 0], seen.landmarks[0, AT[10], 1]
    short = (skull > 0.9) & (points[..., 1] < top - 0.02)
    long = short | ((points[..., 0] < 0.15) | (points[..., 0] > 0.85))
    skin = seen.light[0][0]
    found = []
    for share in (0.2, 0.7):
        mixed = lab_to_rgb((skin * torch.lerp(torch.tensor([0.25, 0.1, 0.1]), torch.ones(3), share))[:, None, None])
        shorn = []
        for hair in (short, long):
            seen = Seen(places, torch.where(hair, mixed, aligned[0])[None], SIZE)
            shorn.append(seen._shorn(hair[None, None].float())[0, 0][short].mean())
        assert shorn[1] < 0.05
        found.append(shorn[0])
    assert found[1] > 0.2
    assert found[0] < 0.3 * found[1]


def test_a_ribbon_is_louder_than_all_hair(astronaut: Tensor, crop: Crop) -> None:
    """A red band over hair that the network takes for hair too; where all of the hair is red, it is hair."""
    aligned, places = square(astronaut, crop)
    before = Seen(places, aligned, SIZE)
    found = before.found_hair
    hair, points = before.region("hair")[0, 0] > 0.9, pixel_centers(SIZE, SIZE)[0]
    band = hair & ((points[..., 1] - points[hair][:, 1].quantile(0.3)).abs() < 0.03)
    assert band.sum() > 100
    for red, kept in ((band, False), (hair, True)):
        seen = Seen(places, torch.where(red, torch.tensor([0.8, 0.1, 0.15])[:, None, None], aligned[0])[None], SIZE)
        seen.found_hair = found
        new = seen.region("hair")[0, 0]
        assert (new[band].mean() > 0.9) == kept
        assert new[band].mean() > 0.9 or new[band].mean() < 0.1
        assert new[hair & ~band].mean() > 0.8


def test_red_hair_in_shade_turns_into_no_green() -> None:
    """At its border hair is taken for what it is deeper within; where a pixel is much darker than that, it changes by as much less."""
    mask = torch.zeros(1, 1, 64, 64)
    mask[:, :, :40] = 1
    strands = 1 + 0.1 * torch.sin(torch.arange(64) * 0.9)
    red = (torch.tensor([0.8, 0.2, 0.25])[:, None, None] * strands).expand(3, 64, 64)[None]
    picture = torch.where(mask > 0, red, torch.tensor([0.7, 0.55, 0.5])[:, None, None])
    picture[:, :, 36:40] *= 0.25
    mean = means(to_lab(picture), mask)
    part = patches(picture, mean, mask, ["hair"], 64)[0]
    within = red.flatten(2)[0, :, part.at]
    taken = part._replace(hair=part.hair._replace(rgb=within, lab=to_lab(within[None, :, None])[0, :, 0]))
    shift = torch.tensor([[[30.0, -50.0, 0.0]]])
    after = to_lab(picture + repaint([taken], mean, shift, (64, 64), 1.0, ["hair"]))[0]
    assert after[1, 36:40].mean() > 10
    assert after[0, 10:30].mean() > 55


def test_roots_stay_darker() -> None:
    after = dyed(8.0, 50.0, soft=1.0)[1]
    assert after[8:10].mean() < after[40:60].mean() - 5


def test_the_face_is_painted_alike_however_much_is_seen_of_the_body(astronaut: Tensor, crop: Crop) -> None:
    """The skin of the face alone tells how far its colours go."""
    gates = [Gates({}, {name: float(name == "skin") for name in COLOR_REGIONS})]
    tints = [{"skin": Tint(COLORS["skin tanned"][1], 1.0)}]
    rasters = []
    for span in (1.0, 1.5):
        wide, side = crop.widen(span), round(128 * span)
        colors = RegionColors(
            gates, tints, crop.places, wide.aligned(astronaut, side), (2, 2), 1.0, span=span, within=wide.within(side)
        )
        rasters.append(colors.raster())
    alone, whole = rasters
    face = region_mask(crop.places, "skin", 128) > 0.99
    off = (alone - whole[..., 32:-32, 32:-32]).abs().mean(1, keepdim=True)[face]
    assert off.mean() < 0.08 * alone.abs().mean(1, keepdim=True)[face].mean()


def test_hair_has_roots_beside_skin_alone() -> None:
    """A band of dark hair with skin above and a wall below: it is dyed up to the wall, and less up to the skin, but where a fringe ends."""
    mask = torch.zeros(1, 1, 64, 64)
    mask[:, :, 16:48] = 1
    skin = torch.zeros(1, 2, 64, 64)
    skin[:, 0, :16] = 1
    skin[:, 1, :, :32] = 1  # there it grows, and further right a fringe ends
    picture = torch.lerp(torch.full((1, 3, 64, 64), 0.6), torch.full((1, 3, 64, 64), 0.08), mask)
    picture = picture + 0.03 * mask * torch.sin(torch.arange(64) * 0.9)
    mean = torch.tensor([[[7.0, 0.0, 0.0]]])
    parts = patches(picture, mean, mask, ["hair"], 64, skin)
    after = to_lab(picture + repaint(parts, mean, torch.tensor([[[40.0, 0.0, 20.0]]]), (64, 64), 1.0, ["hair"]))[0, 0]
    assert 25 < after[17, :28].mean() < after[46, :28].mean() - 5  # in shade, and no band of black
    assert after[46].mean() == pytest.approx(after[32].mean().item(), abs=4)
    assert after[17, 36:].mean() == pytest.approx(after[46, 36:].mean().item(), abs=4)


def test_a_light_border_of_dark_hair_does_not_glow() -> None:
    """The last pixels of a mask are partly a light wall: they must not become the lightest strands of blond hair."""
    mask = torch.zeros(1, 1, 64, 64)
    mask[:, :, :40] = 1
    share = ((41 - torch.arange(64.0)) / 4).clamp(0, 1)[:, None]  # of hair, which the mask takes for whole
    hair = 0.1 + 0.03 * torch.sin(torch.arange(64) * 0.9)
    picture = torch.lerp(torch.full((64, 64), 0.8), hair.expand(64, 64), share).expand(1, 3, 64, 64)
    mean = torch.tensor([[[9.0, 0.0, 0.0]]])
    parts = patches(picture, mean, mask, ["hair"], 64)
    light = parts[0].hair.lab[0].unflatten(0, (40, 64)).mean(1)
    rim, hair = to_lab(picture)[0, 0, 38:40].mean(), light[:24].mean()
    assert light[38:].mean() - hair < 0.45 * (rim - hair)


def test_lips_of_any_light_are_whole(astronaut: Tensor, crop: Crop) -> None:
    """A shade over half of the lips covers nothing."""
    aligned, places = square(astronaut, crop)
    shade = torch.linspace(1, 0.3, SIZE)[None, None, None]
    lips = Seen(places, aligned * shade, SIZE).region("lips")
    assert lips.sum() > 0.85 * region_mask(places, "lips", SIZE).sum()


def test_skin_leaves_hair_and_background_alone(astronaut: Tensor, crop: Crop) -> None:
    aligned, places = square(astronaut, crop)
    seen = Seen(places, aligned, SIZE)
    skin, hair = seen.region("skin"), seen.region("hair")
    assert (skin * hair).sum() < 0.1 * hair.sum()
    assert (skin * region_mask(places, "cheeks", SIZE)).sum() > 0.7 * region_mask(places, "cheeks", SIZE).sum()


def test_the_neck_of_a_face_that_is_turned_aside_ends_below_its_chin(crop: Crop) -> None:
    """On a wall in the colour of skin, of which nothing is painted beside a neck."""
    left, right, chin = (AT[i] for i in (172, 397, 152))
    places = crop.places.clone()
    half = (places[0, right, 0] - places[0, left, 0]) / 2
    places[0, chin, 0] = places[0, left, 0] + 1.6 * half
    skin = Seen(places, torch.tensor([0.8, 0.6, 0.5])[:, None, None].expand(1, 3, SIZE, SIZE), SIZE).region("skin")
    row = skin[0, 0, round((places[0, chin, 1].item() + 0.04) * SIZE)]
    near, far = (row[round((places[0, chin, 0] + way * 0.35 * half).item() * SIZE)] for way in (-1, 1))
    assert near > 0.5
    assert far < 0.2


def test_a_sentence_tells_of_which_face() -> None:
    assert not missing_note(["lips"], torch.tensor([[0.0]]))
    assert missing_note(["hair", "lips"], torch.tensor([[1.0, 0.0], [0.0, 1.0]])).endswith("painted there on face 2.")


def test_black_hair_that_turns_blond_has_depth_and_no_noise() -> None:
    """Light and shade of the head come back as blond hair has them; noise of dark pixels grows less."""
    shade = 2.5 * torch.sin(torch.arange(96.0) / 12).expand(96, 96)
    noise = torch.randn(96, 96, generator=torch.Generator().manual_seed(0))
    light = 8 + shade + 0.7 * noise
    picture = lab_to_rgb(torch.cat([light[None, None], torch.zeros(1, 2, 96, 96)], 1))
    mean, mask = torch.tensor([[[8.0, 0.0, 0.0]]]), torch.ones(1, 1, 96, 96)
    parts = patches(picture, mean, mask, ["hair"], 96)
    shift = torch.tensor([[[50.0, 5.0, 25.0]]])
    after = to_lab(picture + repaint(parts, mean, shift, (96, 96), 1.0, ["hair"]))[0, 0]
    by_column = after.mean(0)
    assert by_column.std() > 3 * shade[0].std()
    assert (after - by_column).std() < 4.5 * (light - light.mean(0)).std()


def test_the_border_of_hair_is_taken_for_what_is_within() -> None:
    """Hair that is darkest at its border, before a lighter wall whose light mixes into it: it does not become a rim of light."""
    x = torch.arange(128.0)
    hair = 6 + 24 * ((x - 40) / 4).clamp(0, 1)
    light = torch.lerp(torch.full_like(x, 40.0), hair, ((x - 30) / 3).clamp(0, 1)).expand(128, 128)
    picture = lab_to_rgb(torch.cat([light[None, None], torch.zeros(1, 2, 128, 128)], 1))
    mask = (x > 30).float().expand(1, 1, 128, 128)
    parts = patches(picture, torch.tensor([[[27.0, 0.0, 0.0]]]), mask, ["hair"], 128)
    found = parts[0].hair.lab[0].unflatten(0, (128, -1)).mean(0)
    assert found[:3].max() < hair[36:40].mean() + 4
    assert found[40:].mean() > 18


def test_a_cheek_in_shade_is_no_hair_and_hair_in_deep_shade_is(astronaut: Tensor, crop: Crop) -> None:
    """The matte takes a cheek in shade for hair, as it is on the way to its colours; what is black between cheek and hair has another."""
    aligned, places = square(astronaut, crop)
    before = Seen(places, aligned, SIZE)
    points, likely = pixel_centers(SIZE, SIZE)[0], resized(before.found_hair[2], SIZE)
    side, nose, brow = places[0, AT[454]], places[0, AT[1]], before._brows[0, 0]
    across = (points[..., 0] - nose[0]) / (side - nose)[0]
    beside = (points[..., 1] > brow[1] + 0.1) & (points[..., 1] < side[1] + 0.15)
    cheek = (across > 0.86) & beside & (likely[0, 0] < 0.01) & (before.outline("all")[0, 0] > 0.95)
    deep = (across > 1.1) & (across < 1.3) & beside & (likely[0, 0] > 0.97)
    assert min(cheek.sum(), deep.sum()) > 40
    dark = torch.where(cheek | deep, 0.15, 1.0)
    seen = Seen(places, aligned * dark, SIZE)
    seen.found_hair = (torch.maximum(before.found_hair[0], cheek.float()), torch.tensor([True]), before.found_hair[2])
    hair = seen.region("hair")[0, 0]
    assert hair[cheek].mean() < 0.05
    assert hair[deep].mean() > 0.95


def test_a_face_is_looked_at_again_where_its_picture_ends_elsewhere(astronaut: Tensor, crop: Crop) -> None:
    picture, ends = crop.aligned(astronaut, SIZE), torch.ones(1, 1, SIZE, SIZE)
    first = seen_in(crop.places, picture, SIZE, within=ends)
    assert seen_in(crop.places, picture, SIZE, within=ends.clone()) is first
    ends[..., SIZE // 2 :] = 0
    assert seen_in(crop.places, picture, SIZE, within=ends) is not first
    assert seen_in(crop.places, picture, SIZE) is not first
