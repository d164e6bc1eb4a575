import django.db.models.deletion
import django.utils.timezone
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [('servers', '0002_load'), ('services', '0002_checks')]

    operations = [
        migrations.CreateModel(
            name='Rule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=80)),
                ('pattern', models.CharField(default='*', max_length=100)),
                ('severity', models.CharField(choices=[('warning', 'Warning and worse'), ('critical', 'Critical only')], default='critical', max_length=10)),
                ('kind', models.CharField(choices=[('webhook', 'Signed webhook'), ('slack', 'Slack-compatible webhook'), ('mail', 'E-mail')], default='webhook', max_length=10)),
                ('place', models.CharField(blank=True, max_length=300)),
                ('key', models.UUIDField(default=uuid.uuid4, editable=False)),
                ('sealed', models.TextField(editable=False)),
                ('wait', models.PositiveSmallIntegerField(default=10)),
                ('remind', models.PositiveIntegerField(default=0)),
                ('quiet_from', models.TimeField(blank=True, null=True)),
                ('quiet_to', models.TimeField(blank=True, null=True)),
                ('time_zone', models.CharField(default='UTC', max_length=60)),
                ('critical_passes', models.BooleanField(default=True)),
                ('paused', models.BooleanField(default=False)),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('changed', models.DateTimeField(auto_now=True)),
                ('server', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='notice_rules', to='servers.server')),
            ],
            options={
                'ordering': ['name', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('rule_name', models.CharField(max_length=80)),
                ('place', models.CharField(max_length=300)),
                ('service', models.CharField(blank=True, max_length=100)),
                ('what', models.CharField(max_length=12)),
                ('severity', models.CharField(blank=True, max_length=10)),
                ('title', models.CharField(max_length=300)),
                ('body', models.JSONField(default=dict)),
                ('state', models.CharField(choices=[('waiting', 'Waits'), ('sent', 'Delivered'), ('given_up', 'Given up')], default='waiting', max_length=10)),
                ('tries', models.PositiveSmallIntegerField(default=0)),
                ('next_try', models.DateTimeField(default=django.utils.timezone.now)),
                ('created', models.DateTimeField(default=django.utils.timezone.now)),
                ('done', models.DateTimeField(null=True)),
                ('answer', models.CharField(blank=True, max_length=300)),
                ('server', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='service_deliveries', to='servers.server')),
                ('rule', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='deliveries', to='services.rule')),
            ],
            options={
                'ordering': ['-created', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='Standing',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('service', models.CharField(max_length=100)),
                ('told', models.CharField(blank=True, max_length=10)),
                ('told_at', models.DateTimeField(null=True)),
                ('begun', models.DateTimeField(null=True)),
                ('due', models.DateTimeField(db_index=True, null=True)),
                ('turns', models.JSONField(default=list)),
                ('flapping', models.BooleanField(default=False)),
                ('rule', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='standings', to='services.rule')),
            ],
            options={
                'ordering': ['pk'],
            },
        ),
        migrations.CreateModel(
            name='Tally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('service', models.CharField(max_length=100)),
                ('epoch', models.CharField(max_length=80)),
                ('version', models.BigIntegerField(default=0)),
                ('entries', models.JSONField(default=dict)),
                ('turned', models.DateTimeField(default=django.utils.timezone.now)),
                ('server', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='service_tallies', to='servers.server')),
            ],
            options={
                'ordering': ['pk'],
            },
        ),
        migrations.AddConstraint(
            model_name='rule',
            constraint=models.UniqueConstraint(fields=('server', 'name'), name='one_notice_rule_of_a_name'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(fields=['server', '-created'], name='deliveries_by_time'),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(fields=['state', 'next_try'], name='deliveries_due'),
        ),
        migrations.AddConstraint(
            model_name='standing',
            constraint=models.UniqueConstraint(fields=('rule', 'service'), name='one_standing_of_a_service'),
        ),
        migrations.AddConstraint(
            model_name='tally',
            constraint=models.UniqueConstraint(fields=('server', 'service'), name='one_tally_of_a_service'),
        ),
    ]
