package command

import "casm"

// checkResource checks that a value fits its type and is free (contract rule 14).
func (d *Decision) checkResource(resourceType, value, pointer string) {
	if !d.Config.ResourceFits(resourceType, value) {
		t, _ := d.Config.ResourceType(resourceType)
		d.refuse(casm.InvalidValue, pointer, "%q is no %s; the whole value must match %s", value, resourceType, t.Pattern)
	}
	if holder := d.layer.ByResource(ResourceKey{resourceType, value}); holder != nil {
		above, _ := holder.Superior()
		d.refuse(casm.ResourceTaken, pointer, "%s %q is assigned to the subscriber with refId %v", resourceType, value, above.RefID)
	}
}

// validResources are the resources that a subscriber has now.
func (d *Decision) validResources(subscriber *Record) []*Record {
	var valid []*Record
	for r := range d.layer.Children(subscriber.ID(), casm.KindSubscriberResource) {
		if _, ok := r.ResourceKey(); ok {
			valid = append(valid, r)
		}
	}
	return valid
}

// endResource ends a resource now.
func (d *Decision) endResource(r *Record) *Record {
	after := d.edit(r)
	after.Entity.(*casm.SubscriberResource).ValidTo = d.Now
	return after
}

func (d *Decision) resourceOfType(subscriber *Record, resourceType string) *Record {
	for _, r := range d.validResources(subscriber) {
		if r.Entity.(*casm.SubscriberResource).ResourceType == resourceType {
			return r
		}
	}
	return nil
}

// assign gives the subscriber a resource from now on.
func (d *Decision) assign(subscriber *Record, asked *casm.SubscriberResource) *Record {
	t, _ := d.Config.ResourceType(asked.ResourceType)
	return d.create(&casm.SubscriberResource{
		Subscriber: refOf(subscriber), ResourceType: asked.ResourceType, Resource: asked.Resource,
		Primary: t != nil && t.Primary, ValidFrom: d.Now,
	}, subscriber.Customer, subscriber.Test)
}

func createResource(d *Decision, in *Input) *Record {
	asked := in.Entity.(*casm.SubscriberResource)
	s := in.SubjectRecord()
	d.alive(s, "/subscriber")
	if d.configured("resource-types", asked.ResourceType, "/resourceType") {
		d.checkResource(asked.ResourceType, asked.Resource, "/resource")
	}
	if has := d.resourceOfType(s, asked.ResourceType); has != nil {
		d.refuse(casm.ResourceTypeAlreadyAssigned, "/resourceType", "the subscriber has a resource of type %s already, %q; swap it or end it first",
			asked.ResourceType, has.Entity.(*casm.SubscriberResource).Resource)
	}
	if len(d.Violations) > 0 {
		return nil
	}
	return d.assign(s, asked)
}

// held returns the valid resource that the subscriber must have for a swap or
// an end.
func (d *Decision) held(s *Record, resourceType, value, pointer string) *Record {
	r := d.resourceOfType(s, resourceType)
	if r == nil || r.Entity.(*casm.SubscriberResource).Resource != value {
		d.refuse(casm.ResourceNotAssigned, pointer, "the subscriber has no valid resource %q of type %s", value, resourceType)
		return nil
	}
	return r
}

func endResource(d *Decision, in *Input) *Record {
	asked := in.Entity.(*casm.SubscriberResource)
	if d.Config.Item("resource-types", asked.ResourceType) == nil {
		d.configured("resource-types", asked.ResourceType, "/resourceType")
		return nil
	}
	r := d.held(in.SubjectRecord(), asked.ResourceType, asked.Resource, "/resource")
	if len(d.Violations) > 0 {
		return nil
	}
	return d.endResource(r)
}

type swapArgs struct {
	SwapResource string `json:"swapResource" is:"required,personal" doc:"The value that is swapped out."`
}

func swapResource(d *Decision, in *Input) *Record {
	asked := in.Entity.(*casm.SubscriberResource)
	args := in.args.(*swapArgs)
	s := in.SubjectRecord()
	if args.SwapResource != asked.Resource {
		d.alive(s, "/subscriber")
	}
	old := d.held(s, asked.ResourceType, args.SwapResource, "/swapResource")
	if d.configured("resource-types", asked.ResourceType, "/resourceType") && (old == nil || args.SwapResource != asked.Resource) {
		d.checkResource(asked.ResourceType, asked.Resource, "/resource")
	}
	if len(d.Violations) > 0 {
		return nil
	}
	if args.SwapResource == asked.Resource {
		return old // swapped for itself: nothing changes
	}
	d.endResource(old)
	return d.assign(s, asked)
}
